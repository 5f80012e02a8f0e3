"""A book: one market's accounts at one block. Events say who changed; raw state is read again."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

import structlog

from keeper.book.reads import Reader, ReadRequest, refused
from keeper.book.rows import AccountRows, Rows
from keeper.book.screening.columns import Columns
from keeper.book.source import A, BookSource, S, V
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.logs import Log, LogFilter
from keeper.chain.node import NodeError, RpcError
from keeper.chain.pool import NodePool
from keeper.store import accounts as memory
from keeper.store.accounts import Saved, SavedBlock
from keeper.store.database import Store

log = structlog.get_logger()

REMEMBERED_BLOCKS = 256
# Blocks between two checkpoints: a restart reads the events since the last one.
CHECKPOINT_BLOCKS = 32
VIEWS_A_CALL = 500

Sample = Sequence[str] | Callable[[Iterable[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Refresh(Generic[V]):
    """The result of a refresh: accounts read again, upgrades seen, and the protocol's own views asked for.

    `reverted` are asked accounts that the protocol itself cannot value; `answers` (by call) and `heard` are
    what the extra reads brought, `heard` empty at a first read. `silent` are accounts whose state changed
    without an event; `unbalanced` names the protocol's total that our accounts ceased to add up to at this
    block; `rebuilt`: a reorg went deeper than was remembered.
    """

    touched: frozenset[str]
    upgraded: bool
    views: dict[str, V]
    reorganised: bool = False
    reverted: frozenset[str] = frozenset()
    answers: Mapping[Call, Answer] = field(default_factory=dict)
    heard: tuple[Log, ...] = ()
    silent: frozenset[str] = frozenset()
    unbalanced: str = ""
    rebuilt: bool = False


@dataclass(slots=True)
class Change(Generic[S]):
    """What a book is to become at a block; nothing takes effect before `Book.commit`."""

    head: Head
    state: S
    followed: LogFilter
    records: dict[str, bytes] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()
    ancestor: int | None = None
    """Blocks remembered beyond this one are orphaned; None: no remembered block is on the chain any more."""


class Book(Generic[S, A, V]):
    """`accounts` (lower-case address → raw state, decoded when asked for) and `state` are those of `head`."""

    def __init__(
        self,
        source: BookSource[S, A, V],
        pool: NodePool,
        store: Store | None,
        log_range: int,
        *,
        read_only: bool = False,
        workers: int = 1,
    ) -> None:
        self.source = source
        self.pool = pool
        self.store = store
        self.log_range = log_range
        self.read_only = read_only
        self.workers = workers
        self.head: Head | None = None
        self.rows = Rows(source.owner)
        self.accounts: Mapping[str, A] = AccountRows(self.rows, source.decode)
        self.references: set[int] = set()
        self.recent: deque[SavedBlock] = deque(maxlen=REMEMBERED_BLOCKS)
        self.followed: LogFilter | None = None
        # Who looks once takes no stored record on trust: what changes without an event is found by rotation
        # and totals, only over many blocks.
        self.all_next = read_only
        self.discovered: set[str] = set()
        self.discovered_until = -1
        """A discovery's progress, and the block it covers: it may outlast the state of its head."""
        self.unbalanced = ""
        """The protocol's total that our accounts did not add up to at the last refresh."""
        self.balanced_at: int | None = None
        """The last block at which our accounts added up to all totals."""
        self.doubted_from: int | None = None
        """The first block whose events must be asked of every node once more, as some were withheld."""
        self._changed: set[int] = set()
        self._moved: set[int] = set()
        self._state: S | None = None
        self._columns = Columns(source.screener.entries) if source.screener is not None else None
        self._sums: dict[str, int] = {}
        self._unsaved: dict[str, bytes] = {}
        self._saved_block: int | None = None
        self._known: bool | None = None
        self.failing = 0
        """Consecutive reads that did not answer the market's own state."""

    @property
    def read(self) -> bool:
        """Whether the market has been read at all."""
        return self._state is not None

    @property
    def state(self) -> S:
        assert self._state is not None, "a book is refreshed before it is used"
        return self._state

    @property
    def was_read(self) -> bool:
        """Whether this market was ever read whole, in this process or by the store's record of an earlier
        one: then a market exists there, and no failure is the configuration's fault."""
        if self.head is None and self._known is None:
            self._known = self.store is not None and memory.has_checkpoint(self.store, self.source.name)
        return self.head is not None or bool(self._known)

    @property
    def columns(self) -> Columns:
        """All accounts' stakes as sparse arrays, brought up to the records; where accounts are screened."""
        assert self._columns is not None, f"accounts of {self.source.name} are not screened"
        if self._changed:
            changed, self._changed = self._changed, set()
            self._columns.update(changed, self.rows.records)
            self._moved |= changed
        return self._columns

    def take_changed(self) -> set[int]:
        """The rows whose stake changed in the columns since the last call."""
        moved, self._moved = self._moved, set()
        return moved

    def under(self, state: S) -> Book[S, A, V]:
        """The same accounts under another market-wide state, for inspection: never refreshed nor saved."""
        other = copy.copy(self)
        other._state, other.store, other.read_only = state, None, True
        return other

    def read_all_next(self) -> None:
        """Make the next refresh read every account again, whatever the events say."""
        self.all_next = True

    def read_again(self, head: Head, accounts: Sequence[str]) -> frozenset[str]:
        """Read these accounts anew at the block the book is at; returns those whose record changed."""
        assert self.head is not None and head.hash == self.head.hash, (
            "a record is read again at its own block"
        )
        [read] = Reader(self.pool, self.workers).read(head, [ReadRequest(self.source, (), list(accounts))])
        if read.fault is not None:
            raise read.fault
        changed = {a: r for a, r in read.records.items() if self.record(a) != r}
        self._put(changed)
        self._unsaved.update(changed)
        return frozenset(changed)

    def doubt(self, head: Head) -> None:
        """Make the next refresh read every account again, and the events since totals last added up: the
        accounts that a withheld event named are not known yet."""
        self.read_all_next()
        since = head.number - REMEMBERED_BLOCKS if self.balanced_at is None else self.balanced_at
        self.doubted_from = max(since + 1, head.number - REMEMBERED_BLOCKS, self.source.from_block, 0)

    def record(self, account: str) -> bytes | None:
        """An account's raw state as the lens packed it."""
        row = self.rows.row(account)
        return None if row is None else self.rows.records[row]

    def views(self, head: Head, accounts: Sequence[str]) -> dict[str, V]:
        """The protocol's own view of these accounts at `head`, in as few calls as fit; accounts that it
        cannot value itself are left out."""
        found: dict[str, V] = {}
        at, width = 0, VIEWS_A_CALL
        while at < len(accounts):
            chunk = accounts[at : at + width]
            try:
                calls = [self.source.auditor.view_call(account) for account in chunk]
                answers = run(self.pool, head, calls, self.source.mirror.lenses())
            except (RpcError, NodeError) as error:
                if not refused(error) or len(chunk) == 1:
                    raise
                width = len(chunk) // 2
                continue
            found.update(self.read_views(chunk, answers))
            at += len(chunk)
        return found

    def read_views(self, accounts: Sequence[str], answers: Sequence[Answer]) -> dict[str, V]:
        """Decode views from their answers; accounts that the protocol cannot value are left out."""
        views = {a: self.source.auditor.read_view(a, each) for a, each in zip(accounts, answers, strict=True)}
        return {account: view for account, view in views.items() if view is not None}

    def commit(self, change: Change[S]) -> str:
        """Apply the change; returns which of the protocol's totals is contradicted afterwards, if any."""
        self._put(change.records)
        self._state, self.followed, self.head = change.state, change.followed, change.head
        self.all_next = False
        if change.ancestor is None:
            self.recent.clear()
        while self.recent and change.ancestor is not None and self.recent[-1].number > change.ancestor:
            self.recent.pop()
        touched = change.touched
        if self.recent and self.recent[-1].hash == change.head.hash:
            touched |= self.recent.pop().touched
        # Nobody asks what the oldest block touched: a reorg that orphans it is deeper than remembered.
        touched = touched if self.recent else frozenset()
        self.recent.append(SavedBlock(change.head.number, change.head.hash, touched))
        self._unsaved.update(change.records)
        due = self._saved_block is None or abs(change.head.number - self._saved_block) >= CHECKPOINT_BLOCKS
        if due:
            self.save()
        return self.source.auditor.unbalanced(change.state, self._sums)

    def save(self) -> None:
        """Store what a restart continues from; cheap when nothing changed since."""
        if self.store is None or self.read_only or self.head is None or self.followed is None:
            return
        if self._saved_block == self.head.number and not self._unsaved:
            return
        saved = Saved(
            self.head.number, self.head.hash, self.followed.addresses, self._unsaved, tuple(self.recent)
        )
        memory.save(self.store, self.source.name, saved)
        self._unsaved, self._saved_block = {}, self.head.number

    def restore(self) -> Saved | None:
        """Load what the store has of this market: a whole checkpoint (accounts and the blocks before), or
        only the account names of an interrupted discovery."""
        saved = memory.load(self.store, self.source.name) if self.store is not None else None
        if saved is None or not saved.block_hash or not all(saved.records.values()):
            return saved
        self._put(saved.records)
        self.recent.extend(saved.recent)
        self._saved_block = saved.block
        return saved

    def note_progress(self, until: int, addresses: tuple[str, ...], new: Iterable[str]) -> None:
        """Store a discovery's progress: it is long, and must not start again when it is interrupted."""
        if self.store is not None and not self.read_only:
            memory.save(self.store, self.source.name, Saved(until, "", addresses, dict.fromkeys(new, b"")))

    def _put(self, records: Mapping[str, bytes]) -> None:
        old: list[bytes] = []
        new: list[bytes] = []
        for account, record in records.items():
            row, before = self.rows.put(account, record)
            if before != record:
                if self._columns is not None:
                    self._changed.add(row)
                new.append(record)
                if before:
                    old.append(before)
                references = self.source.references
                if references is not None and (reference := references.reference(record)):
                    self.references.add(reference)
        for name, amount in self.source.auditor.sums(new).items():
            self._sums[name] = self._sums.get(name, 0) + amount
        for name, amount in self.source.auditor.sums(old).items():
            self._sums[name] -= amount
