"""The unit of account, in which all money of the settings is given and markets' spending and earnings are
compared. Pure.

A market counts in base units of its own currency, with its own decimals. Amounts in the unit of account are
integers scaled 1e18, called money here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

WAD = 10**18


def money(amount: Decimal) -> int:
    """Whole units as money; what is beyond 18 decimals is cut off."""
    return int(amount * WAD)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a base unit of one market is worth: `numerator` / `denominator` of money."""

    numerator: int = 1
    denominator: int = 1

    @classmethod
    def of(cls, decimals: int, price: Decimal) -> Rate:
        """The rate of a market whose currency has this many decimals and costs `price` per whole unit."""
        exact = Fraction(price) * WAD / 10**decimals
        return cls(exact.numerator, exact.denominator)

    def down(self, base: int) -> int:
        """Money that base units are worth, rounded down."""
        return base * self.numerator // self.denominator

    def up(self, base: int) -> int:
        """Money that base units are worth, rounded up."""
        return -(-base * self.numerator // self.denominator)

    def base_down(self, amount: int) -> int:
        """Base units that money buys, rounded down."""
        return amount * self.denominator // self.numerator

    def base_up(self, amount: int) -> int:
        """Base units that are worth at least so much money."""
        return -(-amount * self.denominator // self.numerator)
