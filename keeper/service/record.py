"""The record: every account's numbers at every block, one JSON line a market, for whoever checks them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from keeper.chain.blocks import Head
from keeper.policy.levels import Policies
from keeper.protocols.base import Valuation
from keeper.service.markets import MarketRun
from keeper.service.valuing import Valued


def block_json(head: Head) -> dict[str, Any]:
    return {"number": head.number, "hash": head.hash, "timestamp": head.timestamp}


def valuation_json(valuation: Valuation, breach: str | None) -> dict[str, Any]:
    """Amounts as decimal strings: JSON numbers do not hold them."""
    return {
        "account": to_checksum_address(valuation.account),
        "collateral": str(valuation.collateral),
        "debt": str(valuation.debt),
        "health": None if valuation.health is None else str(valuation.health),
        "breach": breach,
    }


class Recorder:
    """Appends to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, run: MarketRun, at: Valued, policies: Policies) -> None:
        line = {
            "block": block_json(at.head),
            "market": run.name,
            "protocol": run.adapter.protocol,
            "address": run.adapter.contract,
            "acting": at.acting,
            "accounts": [
                {**valuation_json(v, policies.crossed(run.name, v)), "threshold": str(v.threshold)}
                for v in at.valuations
            ],
        }
        with self.path.open("a") as out:
            out.write(json.dumps(line) + "\n")
