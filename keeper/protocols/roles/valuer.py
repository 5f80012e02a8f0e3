"""Exact valuations of accounts, and the prices they hang on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from keeper.book.source import A_contra, S_contra
from keeper.chain.calls import Call
from keeper.model.valuation import Valuation


@dataclass(frozen=True, slots=True)
class PricedAsset:
    """Something the market has a price for. `price` in base units a whole asset, None when its oracle
    reverts; `source_call` answers the address of its price source, `symbol_call` its symbol. `token` (lower
    case) is what it is the price of, where that is not `asset` itself."""

    asset: str
    price: int | None
    source_call: Call
    symbol_call: Call
    token: str = ""
    trusted: bool = True
    """False for a price and a symbol that a stranger may have made: they count for his market alone."""


class Valuer(Protocol[S_contra, A_contra]):
    """Version, exact valuations at a time, prices, which prices an account hangs on."""

    def revision(self, state: S_contra) -> int: ...

    def version(self, state: S_contra) -> str | None:
        """The arithmetic that the revision suggests; None when it is unknown."""

    def value(self, state: S_contra, accounts: Mapping[str, A_contra], timestamp: int) -> list[Valuation]:
        """Every account at `timestamp`, exactly. Only when `version` is known."""

    def value_records(self, state: S_contra, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
        """The same from records, which are not decoded first."""

    def priced_assets(self, state: S_contra) -> list[PricedAsset]: ...

    def price_dependencies(self, state: S_contra, raw: A_contra) -> frozenset[str]:
        """The assets whose prices the protocol reads to value this account."""
