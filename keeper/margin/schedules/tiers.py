"""Tiered maintenance margin: a rate per tier and the deduction that joins the tiers without a step.

MM(N) = N·rate_n − deduction_n in the tier n that holds the notional N,
deduction_n = deduction_{n−1} + lower_n·(rate_n − rate_{n−1}),
so MM is the sum of each slice of N at its own tier's rate: continuous, increasing, convex.
Source: Hyperliquid documentation (margin tiers); Binance FAQ (leverage and margin).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, increasing, not_negative, positive, within
from keeper.margin.interface import Array, Provenance, Requirement


@dataclass(frozen=True, slots=True)
class Tier:
    """Maintenance rate and maximum leverage of notionals above `lower` (settlement units), exact."""

    lower: Fraction
    maintenance_rate: Fraction
    max_leverage: Fraction

    def __post_init__(self) -> None:
        not_negative(self.lower, "lower")
        within(self.maintenance_rate, 0, 1, "maintenance_rate")
        positive(self.max_leverage, "max_leverage")
        if self.maintenance_rate * self.max_leverage > 1:
            raise MarginError("exceeds the initial rate 1/max_leverage", field="maintenance_rate")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Tiers in order. A notional equal to a boundary belongs to the tier below it ("lower < N ≤ upper")."""

    tiers: tuple[Tier, ...]
    provenance: Provenance
    deductions: tuple[Fraction, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.tiers:
            raise MarginError("has no tier", field="tiers")
        if self.tiers[0].lower != 0:
            raise MarginError("the first must start at zero", field="tiers")
        increasing([each.lower for each in self.tiers], "tiers.lower")
        increasing([each.maintenance_rate for each in self.tiers], "tiers.maintenance_rate")
        object.__setattr__(self, "deductions", deductions(self.tiers))

    def index(self, notional: Fraction) -> int:
        """Index of the tier that holds `notional` ≥ 0."""
        not_negative(notional, "notional")
        return max(0, bisect_left(self.tiers, notional, key=lambda tier: tier.lower) - 1)

    def tier(self, notional: Fraction) -> Tier:
        return self.tiers[self.index(notional)]

    def maintenance(self, notional: Fraction) -> Fraction:
        """Maintenance margin of a notional ≥ 0, exact."""
        index = self.index(notional)
        return notional * self.tiers[index].maintenance_rate - self.deductions[index]

    def maintenance_array(self, notional: ArrayLike) -> Array:
        """As `maintenance`, in float64 for an array of any shape."""
        values = finite(notional, "notional")
        if (values < 0).any():
            raise MarginError("must not be negative", field="notional")
        lowers = np.array([float(each.lower) for each in self.tiers])
        rates = np.array([float(each.maintenance_rate) for each in self.tiers])
        index = np.maximum(np.searchsorted(lowers, values, side="left") - 1, 0)
        joined: Array = values * rates[index] - np.array([float(d) for d in self.deductions])[index]
        return joined

    def initial(self, notional: Fraction, leverage: Fraction | None = None) -> Fraction:
        """notional / leverage, exact; the tier's maximum by default, MarginError for more than that."""
        tier = self.tier(notional)
        chosen = tier.max_leverage if leverage is None else leverage
        if positive(chosen, "leverage") > tier.max_leverage:
            raise MarginError(
                f"{chosen} exceeds {tier.max_leverage}, the most at a notional of {notional}",
                field="leverage",
            )
        return notional / chosen


def deductions(tiers: Iterable[Tier]) -> tuple[Fraction, ...]:
    """The deduction of each tier in settlement units, by the recursion above."""
    found = [Fraction(0)]
    for before, tier in pairwise(tiers):
        found.append(found[-1] + tier.lower * (tier.maintenance_rate - before.maintenance_rate))
    return tuple(found)


def requirement(
    schedule: Schedule,
    size: Fraction,
    mark: Fraction,
    equity: Fraction,
    leverage: Fraction | None = None,
) -> Requirement:
    """Requirement of one linear position of signed `size` at `mark`, in the settlement unit, exact."""
    notional = abs(size) * positive(mark, "mark")
    maintenance = schedule.maintenance(notional)
    index = schedule.index(notional)
    return Requirement(
        initial=max(schedule.initial(notional, leverage), maintenance),
        maintenance=maintenance,
        equity=equity,
        parts={
            "notional": notional,
            "tier": index,
            "rate": schedule.tiers[index].maintenance_rate,
            "deduction": schedule.deductions[index],
        },
    )
