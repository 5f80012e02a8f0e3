"""What a book needs to know from a protocol to keep its copy: whom events touch, what to read, how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from keeper.book.entries import Entries
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.logs import Log, LogFilter
from keeper.margin.lending.weights import Weights

# S: market-wide state; A: one account's raw state; V: the protocol's own valuation of an account.
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)
A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ChangedAccounts:
    """What a stretch of events changed: accounts (lower case), and whether the code behind was replaced.
    `everyone`: any account that is known may have changed too."""

    accounts: frozenset[str] = frozenset()
    upgraded: bool = False
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class ExtraReads:
    """What others want read and heard at each block, in the book's own requests."""

    calls: tuple[Call, ...] = ()
    emitters: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def joined(self, wanted: LogFilter) -> LogFilter:
        """The filter that hears these events too."""
        return wanted.joined(LogFilter(self.emitters, self.topics)) if self.emitters else wanted


NOTHING_ELSE = ExtraReads()


class Screener(Protocol[S_contra]):
    """Equity and maintenance of all accounts as sums over factors: see docs/SCREENING.md."""

    def entries(self, records: Sequence[bytes]) -> Entries:
        """Many records as sparse arrays."""

    def weights(self, state: S_contra, timestamp: int, factors: Sequence[int]) -> Weights | None:
        """What a unit of each of these factors weighs at `timestamp`; None where no arithmetic is known."""

    def factor_assets(self, state: S_contra, factors: Sequence[int]) -> list[str]:
        """The priced asset by which each factor is weighed."""


class Mirror(Protocol[S]):
    """What is copied: what to read and to hear, who was touched, market-wide state, records."""

    def lenses(self) -> tuple[Lens, ...]:
        """Contracts to put into the call by state override."""

    def log_filter(self, state: S) -> LogFilter:
        """The contracts and events by which accounts are touched."""

    def discovery_filter(self, state: S) -> LogFilter:
        """The fewest events of the same contracts by which every account that ever was is found."""

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts: ...

    def market_call(self, references: Iterable[int]) -> Call:
        """Reads all market-wide state, including what these references name."""

    def read_market(self, answer: Answer) -> S: ...

    def accounts_call(self, accounts: Sequence[str]) -> Call: ...

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        """Each account's record. KeeperError when the answer is not whole."""


class References(Protocol[S_contra]):
    """Where a record may refer to a part of the market-wide state that is read only where somebody refers to
    it, named by a small positive number."""

    def reference(self, record: bytes) -> int:
        """What the record refers to; 0: nothing."""

    def covers(self, state: S_contra, references: Iterable[int]) -> bool:
        """Whether `state` holds everything these references name."""


class StrangerReads(Protocol[S]):
    """Where anybody can add to the market-wide state: what that is, read apart from what is trusted."""

    def apart_calls(self, references: Iterable[int]) -> Sequence[Call]:
        """Further reads of market-wide state, of what anybody can have made: each has gas of its own and may
        fail without any other."""

    def rest_calls(self, call: Call, answer: Answer) -> Sequence[Call]:
        """What a read of market-wide state left unanswered, to be asked next, in smaller calls where it
        failed; none where nothing more can be had."""

    def with_apart(self, state: S, answers: Iterable[tuple[Call, Answer]]) -> S:
        """The state with what the reads apart, and those of what was left, brought."""


class Auditor(Protocol[S_contra, V_co]):
    """The protocol's own view of an account, and its totals."""

    def view_call(self, account: str) -> Call:
        """The protocol's own view of an account."""

    def read_view(self, account: str, answer: Answer) -> V_co | None:
        """None when the protocol cannot value the account: its view reverts."""

    def sums(self, records: Sequence[bytes]) -> Mapping[str, int]:
        """What these records add to the protocol's own totals, by names of the source's."""

    def unbalanced(self, state: S_contra, sums: Mapping[str, int]) -> str:
        """The first of the protocol's totals that the sum of all records contradicts, in words, with both
        numbers; empty when all agree within the protocol's rounding."""


class BookSource(Protocol[S, A_co, V]):
    """One market seen as something to copy. Pure: builds calls, decodes answers, reads events.

    An account's raw state is kept as a *record*: the bytes its lens packed, which nothing but the source
    understands. Optional roles are None."""

    name: str
    from_block: int
    mirror: Mirror[S]
    auditor: Auditor[S, V]
    screener: Screener[S] | None = None
    references: References[S] | None = None
    stranger_reads: StrangerReads[S] | None = None

    @staticmethod
    def owner(account: str) -> str:
        """The address whose account this is, lower case: the account itself, where it is one."""
        return account

    @staticmethod
    def part(account: str) -> str:
        """The part of the market an account is held in, 0x hex; empty where a market has no parts."""
        return ""

    def decode(self, record: bytes) -> A_co:
        """One account's raw state."""
