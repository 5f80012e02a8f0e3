"""Comet's interest: indices, utilization and the two kinked curves.

Source: compound-finance/comet, contracts/Comet.sol and CometCore.sol. Indices start at 1e15; rates in
1e18 per second; everything rounds down but a borrower's principal, which rounds up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.margin.checks import natural
from keeper.margin.lending.comet.terms import (
    BASE_INDEX_SCALE,
    FACTOR_SCALE,
    SECONDS_PER_YEAR,
    mul_factor_down,
)
from keeper.margin.rounding import mul_div_down, mul_div_up


@dataclass(frozen=True, slots=True)
class Curve:
    """A kinked rate curve: base and slopes in 1e18 per second, `kink` in 1e18."""

    kink: int
    base: int
    slope_low: int
    slope_high: int

    def __post_init__(self) -> None:
        for name in ("kink", "base", "slope_low", "slope_high"):
            natural(getattr(self, name), name)

    def rate_down(self, utilization: int) -> int:
        """Rate in 1e18 per second at a utilization in 1e18."""
        if utilization <= self.kink:
            return self.base + mul_factor_down(self.slope_low, utilization)
        above = mul_factor_down(self.slope_high, utilization - self.kink)
        return self.base + mul_factor_down(self.slope_low, self.kink) + above


def per_second_down(annual: int) -> int:
    """A configured annual rate (1e18) per second, as the contract stores it."""
    return annual // SECONDS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Totals:
    """Indices and principal totals at `last_accrual` (Unix seconds)."""

    supply_index: int
    borrow_index: int
    supply_base: int
    borrow_base: int
    last_accrual: int = 0

    def __post_init__(self) -> None:
        for name in ("supply_index", "borrow_index", "supply_base", "borrow_base", "last_accrual"):
            natural(getattr(self, name), name)

    @property
    def utilization(self) -> int:
        """⌊borrowed / supplied⌋ in 1e18; zero for an empty market."""
        supplied = present_value(self.supply_base, self)
        return present_value_borrow(self) * FACTOR_SCALE // supplied if supplied else 0


def present_value(principal: int, totals: Totals) -> int:
    """Signed balance in base units of a signed principal; magnitudes round down."""
    if principal >= 0:
        return mul_div_down(principal, totals.supply_index, BASE_INDEX_SCALE)
    return -mul_div_down(-principal, totals.borrow_index, BASE_INDEX_SCALE)


def present_value_borrow(totals: Totals) -> int:
    """All debt in base units, rounded down."""
    return mul_div_down(totals.borrow_base, totals.borrow_index, BASE_INDEX_SCALE)


def principal_value(balance: int, totals: Totals) -> int:
    """Signed principal of a signed balance: a supply rounds down, a debt rounds up."""
    if balance >= 0:
        return mul_div_down(balance, BASE_INDEX_SCALE, totals.supply_index)
    return -mul_div_up(-balance, BASE_INDEX_SCALE, totals.borrow_index)


def accrue(totals: Totals, supply: Curve, borrow: Curve, timestamp: int) -> Totals:
    """Totals with both indices grown to `timestamp` at the rates of the last accrual."""
    elapsed = natural(timestamp - totals.last_accrual, "timestamp")
    utilization = totals.utilization
    return replace(
        totals,
        supply_index=totals.supply_index
        + mul_factor_down(totals.supply_index, supply.rate_down(utilization) * elapsed),
        borrow_index=totals.borrow_index
        + mul_factor_down(totals.borrow_index, borrow.rate_down(utilization) * elapsed),
        last_accrual=timestamp,
    )
