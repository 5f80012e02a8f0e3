"""What people are told of a market and its accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keeper.book.source import A_contra, S_contra
from keeper.model.valuation import Explanation


class Explainer(Protocol[S_contra, A_contra]):
    """Lines for people, the units they are in, and warnings of market and set-up."""

    def explain(
        self, state: S_contra, account: str, raw: A_contra, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation: ...

    def base_decimals(self, state: S_contra) -> int: ...

    def decimals(self, state: S_contra, account: str) -> int:
        """Of the account's own values, where they are not in base currency."""

    def part_decimals(self, state: S_contra, account: str, part: str) -> int:
        """Of a part of the account's valuation: of an amount those of its values, of a ratio its own."""

    def unit_worth(self, state: S_contra, account: str) -> float:
        """Base units that a unit of the account's own values is worth, to compare accounts by; 0 for what a
        stranger may have made."""

    def indices(self, state: S_contra, timestamp: int) -> dict[str, dict[str, int]]:
        """The market-wide numbers that accounts are valued with at `timestamp`, by asset and name."""

    def market_warnings(self, state: S_contra) -> Mapping[str, str]:
        """What the operator should hear of the whole market, by a name that stays while it lasts."""

    def setup_warnings(self, state: S_contra) -> Sequence[tuple[str, str]]:
        """What the operator should know of this configuration before he acts, and what to do about it."""
