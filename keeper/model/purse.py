"""What planning must know besides the book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.model.grant import Grant
from keeper.model.price_update import PriceUpdate


@dataclass(frozen=True, slots=True)
class Purse:
    """What planning must know besides the book, read at the book's block.

    `funds`: token (lower case) → units the payer holds and has not promised; `symbols`: token → symbol;
    `idle_collateral`: (account, token) → collateral the account has but does not use, in the protocol's own
    unit.
    """

    funds: Mapping[str, int]
    symbols: Mapping[str, str]
    idle_collateral: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Each account's neighbours, where the protocol keeps accounts in an order and a call must name the
    place."""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """What an account's owner permits to be done for it, where the protocol asks for rights."""
    recipient: str = ""
    """The recipient who carries a liquidation out and gets what it brings, where a call must name one: our
    contract."""
    payer: str = ""
    """The payer who signs and pays, where only an account's owner can do something for it."""
    gas_reserve: int = 0
    """Wei of the payer's that are reserved for gas."""
    benchmarks: Mapping[str, PriceUpdate | str] = field(default_factory=dict)
    """By account: the price of a certain time that its work needs, to be brought along, or why there is
    none."""
    updates: tuple[PriceUpdate, ...] = ()
    """The signed prices behind which everything of this block was read: a call that depends on them brings
    them along."""

    def symbol(self, token: str) -> str:
        return self.symbols.get(token.lower(), token)
