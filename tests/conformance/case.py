"""What a protocol brings to the conformance suite: a small market, and ways to open, move and break it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from keeper.localchain.anvil import Anvil
from keeper.localchain.transactions import Tx
from keeper.localchain.uniswap_v3 import Token
from keeper.service.markets import Market
from tests.support.keeping import MARKET


@dataclass(frozen=True)
class Closing:
    """Something that a protocol's governance can close: what does it, the step that then cannot be taken, and
    a word of what must be said."""

    txs: list[Tx]
    action: str
    word: str


@dataclass(frozen=True)
class Scene:
    """A situation that chance alone may not bring about: `play` brings it about, and `is_there` tells whether
    the keeper's copy of the market has it at a time (Unix)."""

    play: Callable[[], object]
    is_there: Callable[[Market, int], bool]


def is_liquidatable(account: Callable[[], str]) -> Callable[[Market, int], bool]:
    """Whether the keeper's own numbers say so of an account that the scene opens."""

    def told(market: Market, now: int) -> bool:
        state, raw = market.book.state, market.book.accounts[account()]
        [found] = market.adapter.valuer.value(state, {account(): raw}, now)
        return found.liquidatable

    return told


def protection(owner: str, action: str, asset: str) -> str:
    return f"""
[[protect]]
market = "{MARKET}"
account = "{owner}"
target = 1.25
top_up = 1.01
max_spend_per_owner_day = "1000000"
steps = [{{ action = "{action}", asset = "{asset}" }}]
"""


class Case(Protocol):
    """A deployed market. Accounts are keys as the book knows them; all randomness comes from the caller."""

    anvil: Anvil
    target: int
    """A health (1e18) to top up to that the protocol's assets at hand can reach."""
    by_contract_only: bool
    """Whether a liquidation earns only through our contract."""
    lag: int
    """Blocks in which a price does not yet count in full."""

    chain: str
    """What the chain's section says besides."""
    oracle: str
    """The priced asset that `fall` moves, as the configuration names it."""
    owner: str
    """Whose account a top-up test protects: anyone's, or the signer's where only an owner can top up."""

    def toml(self) -> str:
        """The market's section, without its name and chain."""

    def open(self, dice: random.Random, count: int) -> list[str]:
        """So many new accounts of all kinds, healthy; their keys."""

    def stir(self, dice: random.Random) -> None:
        """Some of everything that happens in a market: actions, prices, time."""

    def scenes(self) -> Mapping[str, Scene]:
        """Situations that a run must have contained, in the order in which they can be played."""

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

    def refresh(self) -> list[Tx]:
        """A new round of `oracle` at the price that it has."""

    def protect(self, owner: str, action: str = ...) -> str:
        """A [[protect]] section that tops `owner` up by one step."""

    def closings(self) -> dict[str, Closing]:
        """What can be closed in this protocol, by name."""
