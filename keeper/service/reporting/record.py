"""The record: every account's numbers at every block, one JSON line per market, for independent checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keeper.chain.blocks import Head
from keeper.model.account_key import account_name
from keeper.model.valuation import Valuation
from keeper.policy.levels import Policies
from keeper.service.markets import Adapter, Market
from keeper.service.watching.market_valuation import MarketValuation

_ONCE_OUTSIDE = ("collateral", "debt")
NOTHING: Mapping[str, str] = MappingProxyType({})


def block_json(head: Head) -> dict[str, Any]:
    return {"number": head.number, "hash": head.hash, "timestamp": head.timestamp}


def account_json(adapter: Adapter, account: str) -> dict[str, str]:
    """The account's owner and, where the market has parts, its part."""
    part = adapter.part(account)
    return {
        "account": account_name(adapter.owner(account)),
        **({"part": part} if part else {}),
    }


def numbers_json(valuation: Valuation) -> dict[str, Any]:
    """Amounts as decimal strings, as JSON numbers cannot hold them. Collateral and debt are also listed
    outside the parts, as in records from before there were parts."""
    parts = {name: str(amount) for name, amount in valuation.parts.items()}
    return {
        **{name: parts[name] for name in _ONCE_OUTSIDE if name in parts},
        "equity": str(valuation.equity),
        "maintenance": str(valuation.maintenance),
        "net": str(valuation.net),
        "initial": None if valuation.initial is None else str(valuation.initial),
        "health": None if valuation.health is None else str(valuation.health),
        "liquidatable": valuation.liquidatable,
        "parts": parts,
    }


def valuation_json(adapter: Adapter, valuation: Valuation, breach: str | None) -> dict[str, Any]:
    return {**account_json(adapter, valuation.account), **numbers_json(valuation), "breach": breach}


class Recorder:
    """Appends records to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self,
        market: Market,
        valued: MarketValuation,
        policies: Policies,
        blocked: Mapping[str, str] = NOTHING,
    ) -> None:
        """Write one market's line. `blocked` says, for each account below a threshold where nothing was done,
        why."""
        line = {
            "block": block_json(valued.head),
            "market": market.name,
            "protocol": market.adapter.protocol,
            "address": market.adapter.contract,
            "acting": valued.acting,
            "indices": self._indices(market, valued),
            "accounts": [
                valuation_json(market.adapter, v, policies.crossed(market.name, v)) for v in valued.valuations
            ],
            "unvaluable": valued.unvaluable,
            "held": dict(blocked),
        }
        with self.path.open("a") as out:
            out.write(json.dumps(line) + "\n")

    def _indices(self, market: Market, valued: MarketValuation) -> dict[str, dict[str, str]]:
        """The indices behind the numbers, which rounded values hide; none where the numbers are not our
        own."""
        if not valued.acting:
            return {}
        found = market.adapter.explainer.indices(market.book.state, valued.head.timestamp)
        return {asset: {name: str(n) for name, n in each.items()} for asset, each in found.items()}
