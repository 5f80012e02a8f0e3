"""Deribit's linear perpetuals: a rate that grows with the position's size in coins.

margin = (base + |size|·slope)·|size|·index. Source: Deribit support, Linear Perpetual.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from keeper.errors import MarginError
from keeper.margin.checks import not_negative, number, positive, within
from keeper.margin.interface import Provenance, Requirement

LINEAR_2025 = Provenance("2025-01", date(2025, 1, 15), "Deribit support 25944738177565, Linear Perpetual")


@dataclass(frozen=True, slots=True)
class SizeScaledTerms:
    """`initial_base` and `maintenance_base` as ratios; `slope` is the ratio added per coin."""

    initial_base: Fraction
    maintenance_base: Fraction
    slope: Fraction
    provenance: Provenance = LINEAR_2025

    def __post_init__(self) -> None:
        within(self.initial_base, 0, 1, "initial_base")
        within(self.maintenance_base, 0, 1, "maintenance_base")
        not_negative(self.slope, "slope")
        if self.maintenance_base > self.initial_base:
            raise MarginError("exceeds initial_base", field="maintenance_base")


TERMS = {
    "BTC_USDC": SizeScaledTerms(Fraction("0.02"), Fraction("0.01"), Fraction("0.00005")),
    "SOL_USDC": SizeScaledTerms(Fraction("0.04"), Fraction("0.02"), Fraction("0.000005")),
}


def size_scaled(base: Fraction, slope: Fraction, size: Fraction, price: Fraction) -> Fraction:
    """(base + |size|·slope)·|size|·price, exact: convex in size, zero without a position."""
    coins = abs(number(size, "size"))
    return (base + coins * slope) * coins * positive(price, "price")


def requirement(size: Fraction, index: Fraction, equity: Fraction, terms: SizeScaledTerms) -> Requirement:
    """Standard margin of one linear perpetual (signed `size` in coins), in the stablecoin, exact."""
    return Requirement(
        initial=size_scaled(terms.initial_base, terms.slope, size, index),
        maintenance=size_scaled(terms.maintenance_base, terms.slope, size, index),
        equity=equity,
        parts={"notional": abs(size) * index, "added_rate": abs(size) * terms.slope},
    )
