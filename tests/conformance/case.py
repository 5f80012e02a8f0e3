"""What a protocol brings to the conformance suite: a small market, and ways to open, move and break it."""

from __future__ import annotations

import random
from typing import Protocol

from keeper.localchain.anvil import Anvil
from keeper.localchain.transactions import Tx
from keeper.localchain.uniswap_v3 import Token


class Case(Protocol):
    """A deployed market. Accounts are keys as the book knows them; all randomness comes from the caller."""

    anvil: Anvil
    target: int
    """A health (1e18) to top up to that the protocol's assets at hand can reach."""
    by_contract_only: bool
    """Whether a liquidation earns only through our contract."""

    owner: str
    """Whose account a top-up test protects: anyone's, or the signer's where only an owner can top up."""

    def toml(self) -> str:
        """The market's section, without its name and chain."""

    def open(self, dice: random.Random, count: int) -> list[str]:
        """So many new accounts of all kinds, healthy; their keys."""

    def stir(self, dice: random.Random) -> None:
        """Some of everything that happens in a market: actions, prices, time."""

    def near(self, owner: str) -> str:
        """An account of this owner's that a small fall breaks; its key."""

    def fall(self) -> list[Tx]:
        """A fall of prices that breaks `near` accounts, in new rounds."""

    def hold(self) -> list[Tx]:
        """What happens at every block in which nothing does (a feed that must stay fresh)."""

    def fund(self, payer: str) -> list[Tx]:
        """What the keeper needs to liquidate and to top up."""

    def tokens(self) -> dict[str, Token]:
        """What can be exchanged, at its present price, by symbol."""

    def protect(self, owner: str) -> str:
        """A [[protect]] section that tops `owner` up by one step."""
