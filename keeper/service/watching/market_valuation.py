"""A market's valuation at a block: the request for it and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from keeper.book.book import Refresh
from keeper.chain.blocks import Head
from keeper.chain.calls import Call
from keeper.model.valuation import Valuation
from keeper.service.markets import Market
from keeper.service.watching.memory import BLANK, MarketMemory
from keeper.service.watching.selection import EVERYTHING, Watch


@dataclass(frozen=True, slots=True)
class MarketValuation:
    """A market at a block, and what is remembered for the next. `acting` False: the numbers are the
    contract's own and nothing is sent.

    `valuations` are exact: of every account, or of those that matter to what is watched; `accounts` is how
    many the market has, `below_unvalued` how many more are certainly below a threshold and need no exact
    value. `next_block` has valuations at the next block's time, of accounts that time alone may take below a
    threshold until then. `unvaluable` are accounts that the contract itself cannot value at this block, with
    the reason; they have no valuation, and the others go on. `refresh` has what else was noticed, and the
    answers of all that was read with the book."""

    head: Head
    valuations: list[Valuation]
    memory: MarketMemory
    newly_stopped: str = ""
    newly_suspended: Mapping[str, str] = field(default_factory=dict)
    resumed: tuple[str, ...] = ()
    """What was stopped or suspended until this block, and why; compared again, it agrees."""
    retried: str = ""
    """Why what was tried again at this block stays stopped, and when the next try is."""
    unvaluable: dict[str, str] = field(default_factory=dict)
    accounts: int = 0
    below_unvalued: int = 0
    undecided: int = 0
    next_block: dict[str, Valuation] = field(default_factory=dict)
    refresh: Refresh[Valuation] | None = None

    @property
    def acting(self) -> bool:
        """Whether the market may be acted in."""
        return not self.memory.watch_only.reason

    @property
    def is_news(self) -> bool:
        """Whether acting in the market, or in a part of it, began, ceased or was tried again."""
        return bool(self.newly_stopped or self.newly_suspended or self.resumed or self.retried)


@dataclass(frozen=True, slots=True)
class MarketRequest:
    """What to bring to a block: a market, its memory, and what there is to decide about.

    `protected` are owners whose accounts are compared at every block, `extra` further calls to be read with
    the book; `progress` is called with the last block covered while a long scan is under way."""

    market: Market
    memory: MarketMemory = BLANK
    watch: Watch = EVERYTHING
    protected: Sequence[str] = ()
    extra: Sequence[Call] = ()
    progress: Callable[[int], None] | None = None
