"""Actions that a protocol opens to anyone, of any size within its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from keeper.model.format import format_amount
from keeper.model.plan import FlashLoan, Kind


@dataclass(frozen=True, slots=True)
class Asset:
    """A token the market lists: lower case, base units a whole one costs, token units of a whole one."""

    token: str
    symbol: str
    price: int
    unit: int

    def words(self, amount: int) -> str:
        """Units of the token for people, exactly."""
        return f"{format_amount(amount, len(str(self.unit)) - 1)} {self.symbol}"

    def worth(self, amount: int) -> int:
        """Base units, rounded down (towards minus infinity for a loss)."""
        return amount * self.price // self.unit

    def cost(self, amount: int) -> int:
        """Base units, rounded up."""
        return -(-amount * self.price // self.unit)


@dataclass(frozen=True, slots=True)
class Quote:
    """One size of an offer: what the calls take and bring (token units). `allowance` is what they may take at
    most, where a debt grows until they are included."""

    repaid: int
    allowance: int
    received: int
    calls: tuple[bytes, ...]
    call_for: Callable[[int], bytes] | None = None
    """The same call with a lower allowance, for whoever has what is repaid and not all of the allowance."""


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
    taker: Literal["anyone", "signer", "contract"] = "anyone"
    """Who can take it: the signer with own money, our contract with borrowed money, or either."""
    redeem: str = ""
    """The asset that it gives claims on instead of the asset itself."""
    later: str = ""
    """Where it is one call (of this name) after which anybody can buy what it brings, at the price quoted:
    the money is kept for the purchase."""
    value: int = 0
    """Wei that go with its call, and that it costs: what prices ask for that are brought along."""
    valid_until: int | None = None
    """Unix time of the last block that takes it: then the prices that it brings are too old."""
    kind: Kind = "liquidate"
    action: str = "liquidate"
    """What it is, and how people and the journal call it."""
    least_at: int | None = None
    """Where in the call (byte) the least profit stands, in units of `pays` and `gets` alike: what is asked
    for on chain is raised to what it must earn."""
    gas_of_signer: int | None = None
    """What it takes where the signer calls it alone, if another than `gas` and `cold_gas`."""

    @property
    def gas_alone(self) -> int:
        """What it takes in a transaction of its own, sent by the signer."""
        return self.gas + self.cold_gas if self.gas_of_signer is None else self.gas_of_signer


@dataclass(frozen=True, slots=True)
class FlashLender:
    """Who lends a token for a transaction within the market itself, and how much at most."""

    loan: FlashLoan
    most: int
