"""Actions that a protocol opens to anyone, of any size within its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keeper.model.plan import FlashLoan


@dataclass(frozen=True, slots=True)
class Asset:
    """A token the market lists: lower case, base units a whole one costs, token units of a whole one."""

    token: str
    symbol: str
    price: int
    unit: int

    def worth(self, amount: int) -> int:
        """Base units, rounded down (towards minus infinity for a loss)."""
        return amount * self.price // self.unit


@dataclass(frozen=True, slots=True)
class Quote:
    """One size of an offer: what the calls take and bring (token units). `allowance` is what they may take at
    most, where a debt grows until they are included."""

    repaid: int
    allowance: int
    received: int
    calls: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A liquidation open to anyone, of any size within the protocol's rules, by calls on `target`.

    `deal` sizes it by the units of `pays` to spend; None where the protocol would revert (dust, no effect).
    Sizes from 1 to any of `max_sizes` make one range each; within a range a greater size never brings less.
    """

    pays: Asset
    gets: Asset
    target: str
    max_sizes: tuple[int, ...]
    deal: Callable[[int], Quote | None]
    gas: int
    errors: str = ""
    cold_gas: int = 0
    """What a call takes more where it is the first at its target within a transaction."""
    besides: int = 0
    """Base units that come to the contract's owner besides, in the chain's own coin."""
    callback: bool = False
    """The target gives first and asks for its money in a callback: nobody need lend it. The last argument of
    its call is then empty bytes, for what the callback is to do."""


@dataclass(frozen=True, slots=True)
class FlashLender:
    """Who lends a token for a transaction within the market itself, and how much at most."""

    loan: FlashLoan
    most: int
