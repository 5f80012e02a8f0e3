"""Discovery: blocks that a book has missed, its orphaned blocks, and every account that ever had a stake."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from keeper.book.book import REMEMBERED_BLOCKS, Book
from keeper.chain import blocks, logs
from keeper.chain.blocks import Head
from keeper.chain.calls import run
from keeper.chain.logs import Log, LogFilter
from keeper.chain.node import WrongStateError
from keeper.chain.pool import NodePool

log = structlog.get_logger()

# Seconds between two words about a long discovery.
TOLD_EVERY = 5.0

AnyBook = Book[Any, Any, Any]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class MissedBlocks:
    """The blocks first…last whose events a book has not read (none: first > last), the filter for them, and
    the accounts to read again whatever those events say.

    `ancestor` is the book's newest block that is on the chain; None when it remembers none. `rebuilt`: the
    chain was reorganised deeper than it remembers.
    """

    first: int
    last: int
    followed: LogFilter
    ancestor: int | None
    again: frozenset[str] = frozenset()
    reorganised: bool = False
    initial: bool = False
    rebuilt: bool = False


class Ancestors:
    """Hashes of the chain's blocks by number, each requested once for all books."""

    def __init__(self, pool: NodePool) -> None:
        self.pool = pool
        self._hashes: dict[int, str | None] = {}

    def newest(self, book: AnyBook, head: Head) -> int | None:
        """The newest block the book remembers that is on the chain of `head`."""
        for block in reversed(book.recent):
            if block.number <= head.number and self._hash(block.number, head) == block.hash:
                return block.number
        return None

    def _hash(self, number: int, head: Head) -> str | None:
        if number == head.number:
            return head.hash
        if number == head.number - 1:
            return head.parent
        if number not in self._hashes:
            block = blocks.by_number(self.pool, number)
            self._hashes[number] = block.hash if block else None
        return self._hashes[number]


def stretch(book: AnyBook, head: Head, ancestors: Ancestors, progress: Progress | None) -> MissedBlocks:
    """The blocks that `book` has missed up to `head`. A first time, and where it remembers no block of the
    chain, every account is discovered from the beginning; that reads logs, and may be long."""
    if book.head is None:
        return _initial(book, head, ancestors, progress)
    assert book.followed is not None
    if head.hash == book.head.hash:
        return MissedBlocks(head.number + 1, head.number, book.followed, head.number)
    if head.parent == book.head.hash:
        return MissedBlocks(head.number, head.number, book.followed, book.head.number)
    ancestor = ancestors.newest(book, head)
    if ancestor is None:
        log.error("rebuild", market=book.source.name, reason="reorg deeper than remembered", head=head.number)
        return _from_nothing(book, head, progress, rebuilt=True)
    orphaned = [block for block in book.recent if block.number > ancestor]
    if orphaned:
        log.warning("reorg", market=book.source.name, ancestor=ancestor, head=head.number)
    again = frozenset[str]().union(*(block.touched for block in orphaned))
    return MissedBlocks(ancestor + 1, head.number, book.followed, ancestor, again, reorganised=bool(orphaned))


def _initial(book: AnyBook, head: Head, ancestors: Ancestors, progress: Progress | None) -> MissedBlocks:
    """Start from the store where it has a whole checkpoint, else by discovery."""
    saved = book.restore() if not len(book.rows) else None
    if not book.recent:
        return _from_nothing(book, head, progress, saved=saved)
    ancestor = ancestors.newest(book, head)
    if ancestor is None:
        log.error("rebuild", market=book.source.name, reason="the store knows another chain's blocks")
        return _from_nothing(book, head, progress, rebuilt=True)
    assert saved is not None
    topics = book.source.mirror.log_filter(_state(book, head)).topics
    again = frozenset[str]().union(*(block.touched for block in book.recent if block.number > ancestor))
    followed = LogFilter(saved.addresses, topics)
    return MissedBlocks(ancestor + 1, head.number, followed, ancestor, again, initial=True)


def _from_nothing(
    book: AnyBook,
    head: Head,
    progress: Progress | None,
    *,
    saved: Any = None,
    rebuilt: bool = False,
) -> MissedBlocks:
    """Discover over the whole history, or from where an earlier discovery was interrupted."""
    state = _state(book, head)
    followed = book.source.mirror.log_filter(state)
    start, accounts = book.source.from_block, set(book.accounts)
    if saved is not None and set(saved.addresses) == set(followed.addresses):
        accounts |= set(saved.records)
        start = max(start, saved.block + 1 - REMEMBERED_BLOCKS)
    if not rebuilt:
        accounts |= book.discovered
        start = max(start, book.discovered_until + 1 - REMEMBERED_BLOCKS)
    accounts |= scan(
        book, book.source.mirror.discovery_filter(state), head, progress, start, accounts, followed
    )
    return MissedBlocks(
        first=head.number + 1,
        last=head.number,
        followed=followed,
        ancestor=None,
        again=frozenset(accounts),
        reorganised=rebuilt and book.head is not None,
        initial=True,
        rebuilt=rebuilt,
    )


def scan(
    book: AnyBook,
    search: LogFilter,
    head: Head,
    progress: Progress | None,
    start: int | None = None,
    known: set[str] | None = None,
    followed: LogFilter | None = None,
) -> set[str]:
    """Every account that the searched events ever named, from `start` (else the first block) to `head`. With
    `followed`, accounts found are stored on the way, except those already `known`."""
    found: set[str] = set()
    started = told = time.monotonic()
    first = book.source.from_block if start is None else start
    for until, some in logs.of_range_at_once(
        book.pool, first, head.number, search, book.log_range, book.workers
    ):
        new = set(book.source.mirror.touched(some).accounts) - found - (known or set())
        found |= new
        if followed is not None:
            book.note_progress(until, followed.addresses, new)
            book.discovered |= new
            book.discovered_until = until
            told = _told(book, first, until, head.number, started, told)
        if progress:
            progress(until)
    on_chain(book.pool, head)
    return found


def _told(book: AnyBook, first: int, until: int, last: int, started: float, told: float) -> float:
    """Log a discovery's progress and remaining time every few seconds; returns when it was last logged."""
    now = time.monotonic()
    if now - told < TOLD_EVERY or until >= last:
        return told
    left = (now - started) / (until - first + 1) * (last - until)
    log.info("reading events", market=book.source.name, block=until, of=last, seconds_left=round(left))
    return now


def heard_everywhere(pool: NodePool, first: int, last: int, wanted: LogFilter, size: int) -> list[Log]:
    """Events of these blocks reported by any node: a node that withholds an event is not asked alone."""
    query = {**wanted.params(), "fromBlock": hex(first), "toBlock": hex(last)}
    answers = [each for each in pool.call_each("eth_getLogs", query) if isinstance(each, list)]
    if not answers:
        return [each for _, some in logs.of_range(pool, first, last, wanted, size) for each in some]
    return [each for answer in answers for each in logs.parse(answer)]


def on_chain(pool: NodePool, head: Head) -> None:
    """Raise WrongStateError unless the answering node has `head` as its block of that number."""
    block = blocks.by_number(pool, head.number)
    if block is None or block.hash != head.hash:
        raise WrongStateError(f"is no longer on the chain of block {head.number}", where=f"chain {pool.name}")


def _state(book: AnyBook, head: Head) -> Any:
    call = book.source.mirror.market_call(())
    return book.source.mirror.read_market(run(book.pool, head, [call], book.source.mirror.lenses())[0])
