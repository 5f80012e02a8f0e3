"""What an account holds in one Derive market, and the feeds that value it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.margin.checks import not_negative, number, positive, within
from keeper.margin.interface import Array
from keeper.margin.options.checks import Mask

YEAR_SECONDS = 365 * 86_400
SETTLEMENT_SECONDS = 30 * 60


@dataclass(frozen=True, slots=True)
class Option:
    """A position in one option: `amount` > 0 long, < 0 short; `volatility` the vol feed's, per year."""

    strike: float
    is_call: bool
    amount: float
    volatility: float

    def __post_init__(self) -> None:
        not_negative(self.strike, "option.strike")
        number(self.amount, "option.amount")
        not_negative(self.volatility, "option.volatility")


@dataclass(frozen=True, slots=True)
class Expiry:
    """All options of one expiry, with its feeds.

    `seconds` to expiry, 0 once settled. The forward in USD is `forward_fixed` (already averaged into the
    settlement price) + `forward_variable` (still moving). `confidence` is the least of the forward, rate and
    volatility feeds' confidences, 0 to 1; `rate` the interest rate feed's value per year (negative counts
    as 0).
    """

    seconds: float
    forward_fixed: float
    forward_variable: float
    confidence: float
    options: tuple[Option, ...]
    rate: float = 0.0

    def __post_init__(self) -> None:
        not_negative(self.seconds, "expiry.seconds")
        not_negative(self.forward_fixed, "expiry.forward_fixed")
        not_negative(self.forward_variable, "expiry.forward_variable")
        positive(self.forward_fixed + self.forward_variable, "expiry.forward")
        within(self.confidence, 0.0, 1.0, "expiry.confidence")
        number(self.rate, "expiry.rate")

    @property
    def years(self) -> float:
        """Time to expiry in years of 365 days."""
        return self.seconds / YEAR_SECONDS

    @property
    def forward(self) -> float:
        """The whole forward price, in USD."""
        return self.forward_fixed + self.forward_variable


@dataclass(frozen=True, slots=True)
class MarketAccount:
    """An account of a one-market manager, with the market's feeds: what PMRM v1 and v2 have in common.

    `spot` in USD, `stable_price` USDC in USD, `cash` in USDC (may be negative); `perp_pnl` is unsettled
    profit and funding in USDC and counts only while a perp is held; confidences 0 to 1.
    """

    spot: float
    spot_confidence: float
    stable_price: float
    cash: float = 0.0
    perp_position: float = 0.0
    perp_price: float = 0.0
    perp_confidence: float = 1.0
    perp_pnl: float = 0.0
    expiries: tuple[Expiry, ...] = ()

    def __post_init__(self) -> None:
        positive(self.spot, "portfolio.spot")
        within(self.spot_confidence, 0.0, 1.0, "portfolio.spot_confidence")
        positive(self.stable_price, "portfolio.stable_price")
        number(self.cash, "portfolio.cash")
        number(self.perp_position, "portfolio.perp_position")
        not_negative(self.perp_price, "portfolio.perp_price")
        within(self.perp_confidence, 0.0, 1.0, "portfolio.perp_confidence")
        number(self.perp_pnl, "portfolio.perp_pnl")

    @property
    def confidence(self) -> float:
        """Least confidence of spot and, where a perp is held, of its price."""
        return min(self.spot_confidence, self.perp_confidence) if self.perp_position else self.spot_confidence

    @property
    def settled(self) -> float:
        """Perp profit that counts, in USDC."""
        return self.perp_pnl if self.perp_position else 0.0


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """The options of one expiry as arrays of shape (options,)."""

    strike: Array
    is_call: Mask
    amount: Array
    volatility: Array

    @classmethod
    def of(cls, options: Sequence[Option]) -> OptionColumns:
        """Columns in the order of `options`."""
        return cls(
            strike=np.array([option.strike for option in options], dtype=np.float64),
            is_call=np.array([option.is_call for option in options], dtype=bool),
            amount=np.array([option.amount for option in options], dtype=np.float64),
            volatility=np.array([option.volatility for option in options], dtype=np.float64),
        )


def forward_portions(forward: float, seconds: float) -> tuple[float, float]:
    """Fixed and variable portion of a forward whose settlement average so far equals it.

    In the last 30 minutes the settlement price fixes linearly (LyraForwardFeed); a feed that reports the
    aggregates gives the exact fixed portion instead.
    """
    positive(forward, "forward")
    not_negative(seconds, "seconds")
    variable = min(seconds / SETTLEMENT_SECONDS, 1.0)
    return forward * (1.0 - variable), forward * variable


def naked_shorts(options: Sequence[Option]) -> float:
    """Short options not covered by long ones of the same strike, in contracts.

    As in `_getOptionContingency`: per strike, a long call covers a short put and the other way round, too.
    """
    by_strike: dict[float, dict[bool, float]] = {}
    for option in options:
        kinds = by_strike.setdefault(option.strike, {})
        kinds[option.is_call] = kinds.get(option.is_call, 0.0) + option.amount
    total = 0.0
    for kinds in by_strike.values():
        short = sum(-amount for amount in kinds.values() if amount < 0)
        long = sum(amount for amount in kinds.values() if amount > 0)
        total += max(short - long, 0.0)
    return total
