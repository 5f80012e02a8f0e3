"""Actions that a protocol opens to anyone, of any size within its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from keeper.model.format import format_amount
from keeper.model.plan import FlashLoan, Kind


@dataclass(frozen=True, slots=True)
class Asset:
    """A token the market lists: address in lower case, base units per whole token, token units per whole
    token."""

    token: str
    symbol: str
    price: int
    unit: int

    def words(self, amount: int) -> str:
        """Units of the token for people, exactly."""
        return f"{format_amount(amount, len(str(self.unit)) - 1)} {self.symbol}"

    def worth(self, amount: int) -> int:
        """Base units that token units are worth, rounded down (towards minus infinity for a loss)."""
        return amount * self.price // self.unit

    def cost(self, amount: int) -> int:
        """Base units that token units cost, rounded up."""
        return -(-amount * self.price // self.unit)


@dataclass(frozen=True, slots=True)
class Quote:
    """One size of an offer: what its calls take and bring (token units). `allowance` is the most they may
    take, where a debt grows until they are included."""

    repaid: int
    allowance: int
    received: int
    calls: tuple[bytes, ...]
    call_for: Callable[[int], bytes] | None = None
    """The same call with a lower allowance, for a payer who has what is repaid, not all of the allowance."""


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
    """Extra gas of a call that is the first at its target within a transaction."""
    besides: int = 0
    """Base units that additionally come to the contract's owner, in the chain's native coin."""
    callback: bool = False
    """Whether the target gives first and asks for its money in a callback: no lender is needed. The last
    argument of its call is then empty bytes, for what the callback is to do."""
    taker: Literal["anyone", "signer", "contract"] = "anyone"
    """Who can take it: the signer with their own money, our contract with borrowed money, or either."""
    redeem: str = ""
    """The asset that it gives claims on instead of the asset itself."""
    later: str = ""
    """The name of the call after which anybody can buy what it brings, at the price quoted; empty without
    such a purchase. The money is kept for it."""
    value: int = 0
    """Wei sent with its call, which are a cost: the fees of the prices that it brings."""
    valid_until: int | None = None
    """Unix time of the last block that accepts it: later the prices that it brings are too old."""
    kind: Kind = "liquidate"
    action: str = "liquidate"
    """The action's name for people and in the journal."""
    least_at: int | None = None
    """The byte offset in the call of the least profit it accepts, in units of `pays` and `gets` alike; it is
    raised to what the plan must earn."""
    gas_of_signer: int | None = None
    """Gas when the signer calls it alone, if other than `gas` and `cold_gas`."""

    @property
    def gas_alone(self) -> int:
        """Gas in a transaction of its own, sent by the signer."""
        return self.gas + self.cold_gas if self.gas_of_signer is None else self.gas_of_signer


@dataclass(frozen=True, slots=True)
class FlashLender:
    """A lender of a token for one transaction within the market itself, and the most it lends."""

    loan: FlashLoan
    most: int
