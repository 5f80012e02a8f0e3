"""The record: every account's numbers at every block, one JSON line a market, for whoever checks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_utils.address import to_checksum_address

from keeper.book.source import owner_of, part_of
from keeper.chain.blocks import Head
from keeper.model.valuation import Valuation
from keeper.policy.levels import Policies
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation

NOTHING: Mapping[str, str] = MappingProxyType({})


def block_json(head: Head) -> dict[str, Any]:
    return {"number": head.number, "hash": head.hash, "timestamp": head.timestamp}


def valuation_json(valuation: Valuation, breach: str | None) -> dict[str, Any]:
    """Amounts as decimal strings: JSON numbers do not hold them."""
    return {
        "account": to_checksum_address(owner_of(valuation.account)),
        **({"part": part} if (part := part_of(valuation.account)) else {}),
        "collateral": str(valuation.collateral),
        "debt": str(valuation.debt),
        "health": None if valuation.health is None else str(valuation.health),
        "breach": breach,
    }


class Recorder:
    """Appends to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self, run: Market, at: MarketValuation, policies: Policies, held: Mapping[str, str] = NOTHING
    ) -> None:
        """`held` says of each account below a threshold at which nothing was done, why."""
        line = {
            "block": block_json(at.head),
            "market": run.name,
            "protocol": run.adapter.protocol,
            "address": run.adapter.contract,
            "acting": at.acting,
            "indices": self._indices(run, at),
            "accounts": [
                {**valuation_json(v, policies.crossed(run.name, v)), "threshold": str(v.threshold)}
                for v in at.valuations
            ],
            "unvaluable": at.unvaluable,
            "held": dict(held),
        }
        with self.path.open("a") as out:
            out.write(json.dumps(line) + "\n")

    def _indices(self, run: Market, at: MarketValuation) -> dict[str, dict[str, str]]:
        """The numbers behind the numbers, which rounded values hide; none where we have none of our own."""
        if not at.acting:
            return {}
        found = run.adapter.indices(run.book.state, at.head.timestamp)
        return {asset: {name: str(n) for name, n in each.items()} for asset, each in found.items()}
