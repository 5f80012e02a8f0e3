"""A market at a block: what there is to value, and what came of it."""

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
    many the market has, `below_unvalued` how many more are certainly below a threshold, which no one asks
    after. `next_block`: valuations at its time of accounts that time alone may take below one until then.
    `unvaluable` are accounts that the contract itself cannot value at this block, with the reason; they have
    no valuation, and the others go on. `refresh` says what else was noticed, and has the
    answers of all that was read with the book."""

    head: Head
    valuations: list[Valuation]
    memory: MarketMemory
    newly_stopped: str = ""
    newly_suspended: Mapping[str, str] = field(default_factory=dict)
    resumed: tuple[str, ...] = ()
    """What was stopped or suspended until this block, and why: it was tried again and agrees."""
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
        """Whether acting in the market, or in a part of it, began or ceased."""
        return bool(self.newly_stopped or self.newly_suspended or self.resumed or self.retried)


@dataclass(frozen=True, slots=True)
class MarketRequest:
    """What to bring to a block: a market, what is remembered of it, and what there is to decide about.

    `protected` are owners whose accounts are compared at every block, `extra` further calls to be read with
    the book; `progress` hears the last block covered while a long scan is under way."""

    market: Market
    memory: MarketMemory = BLANK
    watch: Watch = EVERYTHING
    protected: Sequence[str] = ()
    extra: Sequence[Call] = ()
    progress: Callable[[int], None] | None = None
