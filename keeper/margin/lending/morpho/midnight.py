"""Morpho Midnight: several collaterals, each at its own LLTV, secure one debt.

Source: docs.morpho.org, build/midnight/concepts/collateral-health-liquidations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from keeper.margin.checks import not_negative, within


@dataclass(frozen=True, slots=True)
class Collateral:
    """`quantity` of tokens at `price` in the loan asset; `lltv` as a ratio. Exact rationals."""

    quantity: Fraction
    price: Fraction
    lltv: Fraction

    def __post_init__(self) -> None:
        not_negative(self.quantity, "quantity")
        not_negative(self.price, "price")
        within(self.lltv, 0, 1, "lltv")

    @property
    def max_debt(self) -> Fraction:
        """quantity·price·lltv in the loan asset, not rounded."""
        return self.quantity * self.price * self.lltv


def max_debt(collaterals: Sequence[Collateral]) -> Fraction:
    """Σ quantity·price·lltv in the loan asset, not rounded."""
    return sum((each.max_debt for each in collaterals), Fraction(0))
