"""A book: one market's accounts at one block. Events say who changed; raw state is read again."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic

import structlog
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from keeper.book.reading import read_chunks
from keeper.book.source import A, BookSource, Riders, S, V
from keeper.chain import blocks, logs
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.logs import Log, LogFilter
from keeper.chain.node import WrongStateError
from keeper.chain.pool import NodePool
from keeper.store import accounts as known
from keeper.store.database import Store

log = structlog.get_logger()

REMEMBERED_BLOCKS = 256
VIEWS_A_CALL = 500


@dataclass(frozen=True, slots=True)
class Refresh(Generic[V]):
    """What a refresh found: accounts read again, upgrades seen, and the protocol's own views asked for.

    `reverted` are those of the asked accounts that the protocol itself cannot value; `answers` and `heard`
    are what the riders asked for, `heard` empty at a first read."""

    head: Head
    touched: frozenset[str]
    upgraded: bool
    views: dict[str, V]
    reorganised: bool = False
    reverted: frozenset[str] = frozenset()
    answers: tuple[Answer, ...] = ()
    heard: tuple[Log, ...] = ()


class Book(Generic[S, A, V]):
    """`accounts` (lower-case address → raw state) and `state` are those of block `head`."""

    def __init__(
        self,
        source: BookSource[S, A, V],
        pool: NodePool,
        store: Store | None,
        log_range: int,
        *,
        read_only: bool = False,
    ) -> None:
        self.source = source
        self.pool = pool
        self.store = store
        self.log_range = log_range
        self.read_only = read_only
        self.head: Head | None = None
        self.riders = Riders()
        self._all_next = False
        self.accounts: dict[str, A] = {}
        self._state: S | None = None
        self._filter: LogFilter | None = None
        self._recent: deque[tuple[int, str]] = deque(maxlen=REMEMBERED_BLOCKS)

    @property
    def state(self) -> S:
        assert self._state is not None, "a book is refreshed before it is used"
        return self._state

    def refresh(
        self,
        head: Head,
        sample: Sequence[str] | Callable[[Iterable[str]], Sequence[str]] = (),
        progress: Callable[[int], None] | None = None,
    ) -> Refresh[V]:
        """Bring the book to `head`. `sample` names accounts whose own view is read in the same call
        (or chooses them from all accounts, on a first read). Nothing changes if anything fails."""
        if self.head is None:
            return self._first(head, sample, progress)
        chosen = sample if isinstance(sample, Sequence) else sample(self.accounts)
        if head.hash == self.head.hash:
            return self._read(head, frozenset(), chosen, upgraded=False)
        assert self._filter is not None
        wanted = self.riders.joined(self._filter)
        if head.parent == self.head.hash:
            block = logs.of_block(self.pool, head.hash, wanted)
            found = self.source.touched(block)
            return self._read(head, found.accounts, chosen, upgraded=found.upgraded, heard=self._heard(block))
        ancestor = self._ancestor(head)
        gone = self._range(ancestor + 1, head.number, wanted, progress)
        found = self.source.touched(gone)
        reorganised = ancestor < self.head.number
        again = found.accounts | frozenset(self.accounts) if reorganised else found.accounts
        if reorganised:
            log.warning("reorg", market=self.source.name, ancestor=ancestor, head=head.number)
        return self._read(
            head,
            again,
            chosen,
            upgraded=found.upgraded or reorganised,
            reorg=reorganised,
            heard=self._heard(gone),
        )

    def _heard(self, found: Iterable[Log]) -> tuple[Log, ...]:
        """The riders' events among those of a stretch of blocks."""
        emitters, topics = set(self.riders.emitters), set(self.riders.topics)
        return tuple(each for each in found if each.address in emitters and each.topics[0] in topics)

    def read_all_next(self) -> None:
        """At the next refresh read every account again, whatever the events say."""
        self._all_next = True

    def views(self, head: Head, accounts: Sequence[str]) -> dict[str, V]:
        """The protocol's own view of these accounts at `head`, in as few calls as fit; accounts that it
        cannot value itself are left out."""
        found: dict[str, V] = {}
        for at in range(0, len(accounts), VIEWS_A_CALL):
            chunk = accounts[at : at + VIEWS_A_CALL]
            answers = run(self.pool, head, [self.source.view_call(account) for account in chunk])
            found.update(self._views(chunk, answers))
        return found

    def _views(self, accounts: Sequence[str], answers: Sequence[Answer]) -> dict[str, V]:
        views = {a: self.source.read_view(a, each) for a, each in zip(accounts, answers, strict=True)}
        return {account: view for account, view in views.items() if view is not None}

    def _first(
        self,
        head: Head,
        sample: Sequence[str] | Callable[[Iterable[str]], Sequence[str]],
        progress: Callable[[int], None] | None,
    ) -> Refresh[V]:
        """Discovery from the checkpoint (or the first block), then every account is read."""
        state = self._market(head, ())
        wanted = self.source.log_filter(state)
        start, accounts = self.source.from_block, set[str]()
        if self.store is not None:
            saved = known.load(self.store, self.source.name)
            if saved is not None and saved.filter_digest == digest(wanted):
                accounts = saved.accounts
                start = max(start, saved.block + 1 - REMEMBERED_BLOCKS)
        search = self.source.discovery_filter(state)
        for until, some in logs.of_range(self.pool, start, head.number, search, self.log_range):
            found = self.source.touched(some).accounts - accounts
            accounts |= found
            # Kept as it goes: a scan of a whole chain is long, and must not begin anew when it is cut off.
            self._save(until, "", wanted, found)
            if progress:
                progress(until)
        self._state, self._filter = state, wanted
        chosen = sample if isinstance(sample, Sequence) else sample(accounts)
        return self._read(head, frozenset(accounts), chosen, upgraded=True)

    def _range(
        self, first: int, last: int, wanted: LogFilter, progress: Callable[[int], None] | None = None
    ) -> list[logs.Log]:
        found: list[logs.Log] = []
        for until, some in logs.of_range(self.pool, first, last, wanted, self.log_range):
            found.extend(some)
            if progress:
                progress(until)
        return found

    def _read(
        self,
        head: Head,
        touched: frozenset[str],
        sample: Sequence[str],
        *,
        upgraded: bool,
        reorg: bool = False,
        heard: tuple[Log, ...] = (),
    ) -> Refresh[V]:
        state, fresh, views, answers = self._at(head, touched, sample)
        wanted = self.source.log_filter(state)
        assert self._filter is not None
        added = tuple(a for a in wanted.addresses if a not in self._filter.addresses)
        if added:
            log.info("new contracts", market=self.source.name, addresses=added)
            search = LogFilter(added, self.source.discovery_filter(state).topics)
            scan = self._range(self.source.from_block, head.number, search)
            late = self.source.touched(scan).accounts - touched
            state, more, _, answers = self._at(head, late, ())
            fresh, touched = {**fresh, **more}, touched | late
        self._commit(head, state, wanted, fresh)
        reverted = frozenset(sample) - views.keys()
        return Refresh(head, touched, upgraded, views, reorg, reverted, answers, heard)

    @retry(
        retry=retry_if_exception_type(WrongStateError),
        stop=stop_after_attempt(3),
        wait=wait_fixed(0.1),
        reraise=True,
    )
    def _at(
        self, head: Head, touched: frozenset[str], sample: Sequence[str]
    ) -> tuple[S, dict[str, A], dict[str, V], tuple[Answer, ...]]:
        """Market state, these accounts' raw state, the sample's views and the riders' answers, in as few
        calls as fit."""
        if self._all_next:
            touched |= frozenset(self.accounts)
        order = sorted(touched)
        calls = [
            self.source.market_call(self.accounts.values()),
            *(self.source.view_call(account) for account in sample),
            *self.riders.calls,
        ]
        answers, fresh = read_chunks(self.pool, head, self.source, calls, order)
        state = self.source.read_market(answers[0])
        views = self._views(sample, answers[1 : 1 + len(sample)])
        if not self.source.covers(state, fresh.values()):
            state = self._market(head, [*self.accounts.values(), *fresh.values()])
        return state, fresh, views, tuple(answers[1 + len(sample) :])

    def _market(self, head: Head, accounts: Iterable[A]) -> S:
        call: Call = self.source.market_call(accounts)
        return self.source.read_market(run(self.pool, head, [call], self.source.lenses())[0])

    def _commit(self, head: Head, state: S, wanted: LogFilter, fresh: dict[str, A]) -> None:
        self._save(head.number, head.hash, wanted, fresh.keys() - self.accounts.keys())
        self.accounts.update(fresh)
        self._state, self._filter, self.head = state, wanted, head
        self._all_next = False
        self._recent.append((head.number, head.hash))

    def _save(self, block: int, block_hash: str, wanted: LogFilter, new: AbstractSet[str]) -> None:
        if self.store is not None and not self.read_only:
            saved = known.Saved(block, block_hash, digest(wanted), set(new))
            known.save(self.store, self.source.name, saved)

    def _ancestor(self, head: Head) -> int:
        """Number of the newest block this book knows that is still on the chain of `head`."""
        while self._recent:
            number, block_hash = self._recent[-1]
            if number < head.number:
                block = blocks.by_number(self.pool, number)
                if block is not None and block.hash == block_hash:
                    return number
            self._recent.pop()
        log.warning("rebuild", market=self.source.name, reason="reorg deeper than remembered")
        return self.source.from_block - 1


def digest(wanted: LogFilter) -> str:
    """A short name of a filter's addresses: a checkpoint counts only for the filter it was made with."""
    return hashlib.sha256(",".join(sorted(wanted.addresses)).encode()).hexdigest()[:16]
