"""What a book needs from a protocol to keep its copy: which events touch whom, what to read, and how."""

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
    """Changes found in a range of events: accounts (lower case), and whether the contract's code was
    replaced. `everyone`: any known account may have changed too."""

    accounts: frozenset[str] = frozenset()
    upgraded: bool = False
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class ExtraReads:
    """Extra calls and events at each block, made and read in the book's own requests."""

    calls: tuple[Call, ...] = ()
    emitters: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def joined(self, wanted: LogFilter) -> LogFilter:
        """The filter that matches these events too."""
        return wanted.joined(LogFilter(self.emitters, self.topics)) if self.emitters else wanted


NOTHING_ELSE = ExtraReads()


class Screener(Protocol[S_contra]):
    """Equity and maintenance of all accounts as sums over factors: see docs/SCREENING.md."""

    def entries(self, records: Sequence[bytes]) -> Entries:
        """Convert many records to sparse arrays."""

    def weights(self, state: S_contra, timestamp: int, factors: Sequence[int]) -> Weights | None:
        """The weight of a unit of each of these factors at `timestamp`; None where no arithmetic is known."""

    def factor_assets(self, state: S_contra, factors: Sequence[int]) -> list[str]:
        """The priced asset by which each factor is weighed."""


class Mirror(Protocol[S]):
    """The copied parts of a market: what to read and listen to, touched accounts, market-wide state,
    records."""

    def lenses(self) -> tuple[Lens, ...]:
        """Contracts to put into the call by state override."""

    def log_filter(self, state: S) -> LogFilter:
        """The contracts and events by which accounts are touched."""

    def discovery_filter(self, state: S) -> LogFilter:
        """The fewest events of the same contracts that name every account that ever was."""

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts: ...

    def market_call(self, references: Iterable[int]) -> Call:
        """A call that reads all market-wide state, including what these references name."""

    def read_market(self, answer: Answer) -> S: ...

    def accounts_call(self, accounts: Sequence[str]) -> Call: ...

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        """Each account's record. KeeperError when the answer is incomplete."""


class References(Protocol[S_contra]):
    """Records that may refer to a part of the market-wide state, read only where some record refers to it. A
    reference is a small positive number."""

    def reference(self, record: bytes) -> int:
        """The part that the record refers to; 0: none."""

    def covers(self, state: S_contra, references: Iterable[int]) -> bool:
        """Whether `state` holds everything these references name."""


class StrangerReads(Protocol[S]):
    """Reads of market-wide state that anybody can add to, kept apart from reads of what is trusted."""

    def apart_calls(self, references: Iterable[int]) -> Sequence[Call]:
        """Further reads of market-wide state that anybody can have made: each has gas of its own and may fail
        without any other."""

    def rest_calls(self, call: Call, answer: Answer) -> Sequence[Call]:
        """Reads of market-wide state that an answer left out, to be made next, in smaller calls where it
        failed; none where nothing more can be had."""

    def with_apart(self, state: S, answers: Iterable[tuple[Call, Answer]]) -> S:
        """The state with the answers to the apart and rest reads added."""


class Auditor(Protocol[S_contra, V_co]):
    """The protocol's own view of an account, and its totals."""

    def view_call(self, account: str) -> Call:
        """The protocol's own view of an account."""

    def read_view(self, account: str, answer: Answer) -> V_co | None:
        """The decoded view; None when the protocol cannot value the account: its view reverts."""

    def sums(self, records: Sequence[bytes]) -> Mapping[str, int]:
        """Contributions of these records to the protocol's own totals, by names of the source's."""

    def unbalanced(self, state: S_contra, sums: Mapping[str, int]) -> str:
        """The first of the protocol's totals that the sum of all records contradicts, in words, with both
        numbers; empty when all agree within the protocol's rounding."""


class BookSource(Protocol[S, A_co, V]):
    """One market as something to copy. Pure: builds calls, decodes answers, reads events.

    An account's raw state is kept as a *record*: the bytes its lens packed, which only the source
    understands. Optional roles are None.
    """

    name: str
    from_block: int
    mirror: Mirror[S]
    auditor: Auditor[S, V]
    screener: Screener[S] | None = None
    references: References[S] | None = None
    stranger_reads: StrangerReads[S] | None = None

    @staticmethod
    def owner(account: str) -> str:
        """The address whose account this is, lower case: the account itself, where that is an address."""
        return account

    @staticmethod
    def part(account: str) -> str:
        """The part of the market an account is held in, 0x hex; empty where a market has no parts."""
        return ""

    def decode(self, record: bytes) -> A_co:
        """One account's raw state."""
