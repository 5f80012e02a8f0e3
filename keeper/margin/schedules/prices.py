"""Liquidation and bankruptcy prices of linear positions, alone or in a cross-margined account. Exact.

With equity e at price p and signed size s, equity at p′ is e + s·(p′ − p). Liquidation is where it meets
maintenance |s|·p′·rate − deduction: p′ = (e − s·p + deduction) / (|s|·rate − s). Bankruptcy is where it is
zero. Source: dYdX documentation (liquidations, contract loss mechanism), Hyperliquid documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from keeper.errors import MarginError
from keeper.margin.checks import number, positive
from keeper.margin.schedules.tiers import Schedule


@dataclass(frozen=True, slots=True)
class Position:
    """Signed `size` at `price`, under its own schedule."""

    size: Fraction
    price: Fraction
    schedule: Schedule

    def __post_init__(self) -> None:
        number(self.size, "size")
        positive(self.price, "price")

    @property
    def maintenance(self) -> Fraction:
        return self.schedule.maintenance(abs(self.size) * self.price)


def bankruptcy_price(equity: Fraction, size: Fraction, price: Fraction) -> Fraction | None:
    """p − e/s; None where no price above zero takes all equity (a long with more equity than notional)."""
    if number(size, "size") == 0:
        raise MarginError("is zero: a flat account has no bankruptcy price", field="size")
    found = positive(price, "price") - equity / size
    return found if found > 0 else None


def flat_rate_liquidation_price(
    equity: Fraction, size: Fraction, price: Fraction, rate: Fraction
) -> Fraction | None:
    """(e − s·p) / (|s|·rate − s) at one maintenance rate; None where no price above zero liquidates."""
    if number(size, "size") == 0:
        raise MarginError("is zero: a flat account has no liquidation price", field="size")
    slope = abs(size) * rate - size
    if slope == 0:
        return None
    found = (equity - size * positive(price, "price")) / slope
    return found if found > 0 else None


def liquidation_price(
    equity: Fraction, position: Position, others_maintenance: Fraction = Fraction(0)
) -> Fraction | None:
    """The price of this position's asset at which the account is liquidated, everything else unmoved.

    `equity` is the whole account's; `others_maintenance` what its other positions require (cross margin).
    None where no price above zero does, or the position is flat. For an account that is below maintenance
    now, the price at which it no longer is.
    """
    size, schedule = position.size, position.schedule
    if size == 0:
        return None
    free = equity - others_maintenance - size * position.price
    found = []
    for index, tier in enumerate(schedule.tiers):
        slope = abs(size) * tier.maintenance_rate - size
        if slope == 0:
            continue
        candidate = (free + schedule.deductions[index]) / slope
        if candidate > 0 and schedule.index(abs(size) * candidate) == index:
            found.append(candidate)
    return min(found, key=lambda each: abs(each - position.price)) if found else None


def cross_liquidation_prices(equity: Fraction, positions: Sequence[Position]) -> list[Fraction | None]:
    """`liquidation_price` of each position of one cross-margined account, in order."""
    total = sum((each.maintenance for each in positions), Fraction(0))
    return [liquidation_price(equity, each, total - each.maintenance) for each in positions]
