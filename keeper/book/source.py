"""What a book needs to know from a protocol to keep its copy: whom events touch, what to read, how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.logs import Log, LogFilter

# S: market-wide state; A: one account's raw state; V: the protocol's own valuation of an account.
S = TypeVar("S")
A = TypeVar("A")
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a stretch of events changed: accounts (lower case), and whether the code behind was replaced."""

    accounts: frozenset[str] = frozenset()
    upgraded: bool = False


@dataclass(frozen=True, slots=True)
class Riders:
    """What others want read and heard at each block, in the book's own requests."""

    calls: tuple[Call, ...] = ()
    emitters: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def joined(self, wanted: LogFilter) -> LogFilter:
        """The filter that hears the riders' events too."""
        if not self.emitters:
            return wanted
        return LogFilter((*wanted.addresses, *self.emitters), (*wanted.topics, *self.topics))


class BookSource(Protocol[S, A, V_co]):
    """One market seen as something to copy. Pure: builds calls, decodes answers, reads events."""

    @property
    def name(self) -> str: ...

    @property
    def from_block(self) -> int: ...

    def lenses(self) -> tuple[Lens, ...]:
        """Contracts to put into the call by state override."""

    def log_filter(self, state: S) -> LogFilter:
        """The contracts and events by which accounts are touched."""

    def discovery_filter(self, state: S) -> LogFilter:
        """The fewest events of the same contracts by which every account that ever was is found."""

    def touched(self, logs: Iterable[Log]) -> Touched: ...

    def market_call(self, accounts: Iterable[A]) -> Call:
        """Reads all market-wide state, including what these accounts refer to."""

    def read_market(self, answer: Answer) -> S: ...

    def covers(self, state: S, accounts: Iterable[A]) -> bool:
        """Whether `state` holds everything these accounts refer to."""

    def accounts_call(self, accounts: Sequence[str]) -> Call: ...

    def read_accounts(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, A]: ...

    def view_call(self, account: str) -> Call:
        """The protocol's own view of an account."""

    def read_view(self, account: str, answer: Answer) -> V_co | None:
        """None when the protocol cannot value the account: its view reverts."""
