"""Refresh of all books of a chain to a block, with as few requests as for one: logs once, one lens call.

Refreshed, not replayed: events say which accounts changed, and their raw state is read again at the block's
hash. A reorg is no special case: accounts touched by orphaned blocks are touched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

from keeper.book import discovery
from keeper.book.book import CHECKPOINT_BLOCKS, Change, Refresh, Sample
from keeper.book.discovery import AnyBook, MissedBlocks
from keeper.book.reads import (
    BookRead,
    NoStateError,
    Reader,
    ReadRequest,
    apart_calls,
    market_state,
    run_whole,
)
from keeper.book.source import NOTHING_ELSE, ExtraReads
from keeper.chain import logs
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer
from keeper.chain.logs import Log, LogFilter
from keeper.chain.node import WrongStateError
from keeper.errors import ConfigError, UnreachableError

log = structlog.get_logger()

# A market that stays silent is asked for alone, and at every node, once in so many blocks.
ELSEWHERE_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A book to refresh. `sample` names accounts whose own view is read in the same call (or chooses them
    from all accounts); `progress` is called with the last block covered by long scans."""

    book: AnyBook
    sample: Sample = ()
    progress: Callable[[int], None] | None = None
    extra: ExtraReads = NOTHING_ELSE
    """What other parts want read and heard in the same requests."""


@dataclass(slots=True)
class _Visit:
    """One book during its refresh: what is known so far of its changes."""

    ask: RefreshRequest
    stretch: MissedBlocks
    touched: frozenset[str] = frozenset()
    upgraded: bool = False
    heard: tuple[Log, ...] = ()
    sample: Sequence[str] = ()
    references: frozenset[int] = frozenset()
    portion: ReadRequest | None = None
    read: BookRead = field(default_factory=lambda: BookRead((), {}))

    @property
    def book(self) -> AnyBook:
        return self.ask.book

    @property
    def followed(self) -> LogFilter:
        return self.ask.extra.joined(self.stretch.followed)


def refresh_together(
    reader: Reader, head: Head, asks: Sequence[RefreshRequest]
) -> list[Refresh[Any] | Exception]:
    """Each book's refresh in order, or the error of that market alone; its book then stays as before.

    Raised are only errors of no single market: UnreachableError where the chain does not answer, and
    ConfigError for a market that was never read. No book has changed then.
    """
    outcomes: dict[int, Refresh[Any] | Exception] = {}
    visits: dict[int, _Visit] = {}
    ancestors = discovery.Ancestors(reader.pool)
    each = _Each(asks, outcomes)
    for number, ask in enumerate(asks):
        with each(number):
            visits[number] = _Visit(ask, discovery.stretch(ask.book, head, ancestors, ask.progress))
    _hear(reader, head, visits, each)
    for number in each.left(visits):
        with each(number):
            visits[number].portion = _portion(visits[number])
    try:
        _read(reader, head, [visits[number] for number in each.left(visits)])
    except NoStateError as error:
        # No node knows better: each market's lens was answered with nothing.
        outcomes.update(dict.fromkeys(each.left(visits), error))
    for number in each.left(visits):
        with each(number):
            outcomes[number] = _settle(reader, head, visits[number])
    return [outcomes[number] for number in range(len(asks))]


@dataclass(frozen=True, slots=True)
class _Each:
    """Keeps a market's error among that market's outcomes."""

    asks: Sequence[RefreshRequest]
    outcomes: dict[int, Refresh[Any] | Exception]

    @contextmanager
    def __call__(self, number: int) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            # What was read once is a market; whatever is wrong with it now, another day may mend.
            if not self.asks[number].book.was_read:
                raise
            self.outcomes[number] = error
        except Exception as error:  # noqa: BLE001  (one market's fault is that market's alone)
            self.outcomes[number] = error
            self._raise_if_everyones()

    def left(self, visits: Mapping[int, _Visit]) -> list[int]:
        return [number for number in visits if number not in self.outcomes]

    def _raise_if_everyones(self) -> None:
        """Raise where not one market could be reached: then the chain does not answer."""
        found = [self.outcomes.get(number) for number in range(len(self.asks))]
        if all(isinstance(e, UnreachableError) and not isinstance(e, NoStateError) for e in found):
            raise next(e for e in found if isinstance(e, Exception))


def _hear(reader: Reader, head: Head, visits: Mapping[int, _Visit], each: _Each) -> None:
    """Find accounts touched by events: one request for all books that missed the same blocks."""
    together: dict[tuple[int, int], list[int]] = {}
    for number in each.left(visits):
        stretch = visits[number].stretch
        together.setdefault((stretch.first, stretch.last), []).append(number)
    for (first, last), numbers in together.items():
        group = [visits[number] for number in numbers]
        if first > last:
            found: list[Log] = []
        else:
            wanted = group[0].followed
            for visit in group[1:]:
                wanted = wanted.joined(visit.followed)
            found = _logs(reader, head, first, last, wanted, group)
        for number in numbers:
            with each(number):
                _take(visits[number], [*found, *_doubted(reader, head, visits[number])])


def _doubted(reader: Reader, head: Head, visit: _Visit) -> list[Log]:
    """Read again the events of earlier blocks of which some must have been withheld."""
    book, first = visit.book, visit.book.doubted_from
    if first is None or first > head.number:
        return []
    wanted = visit.stretch.followed
    found = discovery.heard_everywhere(reader.pool, first, head.number, wanted, book.log_range)
    log.warning("events heard again", market=book.source.name, first=first, last=head.number, logs=len(found))
    return found


def _take(visit: _Visit, found: Sequence[Log]) -> None:
    """Apply these events to one book, and choose the sample of accounts whose view it wants."""
    touch = visit.book.source.mirror.touched(visit.stretch.followed.of(found))
    stretch, extra = visit.stretch, visit.ask.extra
    visit.touched = touch.accounts | stretch.again
    visit.upgraded = touch.upgraded or stretch.reorganised or stretch.initial
    if not stretch.initial:
        visit.heard = tuple(LogFilter(extra.emitters, extra.topics).of(found))
    if visit.book.all_next or touch.everyone:
        visit.touched |= frozenset(visit.book.accounts)
    everyone = {*visit.book.accounts, *visit.touched} if callable(visit.ask.sample) else ()
    visit.sample = visit.ask.sample(everyone) if callable(visit.ask.sample) else visit.ask.sample


def _logs(
    reader: Reader, head: Head, first: int, last: int, wanted: LogFilter, group: Sequence[_Visit]
) -> list[Log]:
    if first == last == head.number:
        return logs.of_block(reader.pool, head, wanted)
    found: list[Log] = []
    size = min(visit.book.log_range for visit in group)
    for until, some in logs.of_range_at_once(reader.pool, first, last, wanted, size, reader.workers):
        found.extend(some)
        for visit in group:
            if visit.ask.progress:
                visit.ask.progress(until)
    # Ranges go by number: whoever answered must have been on this head's chain, or its logs are another's.
    discovery.on_chain(reader.pool, head)
    return found


def _portion(visit: _Visit) -> ReadRequest:
    """The request of one book: market state, touched and sampled accounts, the sample's own views, the extra
    calls and, last, what strangers made."""
    source = visit.book.source
    visit.references = frozenset(visit.book.references)
    apart = apart_calls(source, visit.references)
    calls = [
        source.mirror.market_call(visit.book.references),
        *(source.auditor.view_call(account) for account in visit.sample),
        *visit.ask.extra.calls,
    ]
    accounts = dict.fromkeys([*sorted(visit.touched), *visit.sample])
    return ReadRequest(source, calls, list(accounts), apart)


@retry(
    # Nodes without the state were asked again already.
    retry=retry_if_exception(lambda e: isinstance(e, WrongStateError) and not isinstance(e, NoStateError)),
    stop=stop_after_attempt(3),
    wait=wait_fixed(0.1),
    reraise=True,
)
def _read(reader: Reader, head: Head, visits: Sequence[_Visit]) -> None:
    portions = [visit.portion for visit in visits if visit.portion is not None]
    for visit, read in zip(visits, reader.read(head, portions), strict=True):
        visit.read = read


def _market(reader: Reader, head: Head, visit: _Visit) -> Answer:
    """The lens's answer about the market; where the common call had none, asked alone and at every node."""
    first: Answer = visit.read.answers[0]
    if first.ok:
        visit.book.failing = 0
        return first
    source = visit.book.source
    call = source.mirror.market_call(visit.book.references)
    failing = visit.book.failing
    visit.book.failing = failing + 1
    if failing and head.number % ELSEWHERE_BLOCKS:
        # It was asked for everywhere at blocks before: others do not wait for it at each.
        return first
    try:
        [answer] = run_whole(reader.pool, head, [call], source.mirror.lenses(), lambda answers: answers[0].ok)
    except NoStateError:
        if not first.data:
            raise
        return first
    visit.book.failing = 0
    return answer


def _settle(reader: Reader, head: Head, visit: _Visit) -> Refresh[Any]:
    """Put what was read into the book; contracts that are new in the market are scanned back first."""
    book, source, read = visit.book, visit.book.source, visit.read
    if read.fault is not None:
        raise read.fault
    sample, touched = visit.sample, visit.touched
    records, answers = dict(read.records), read.answers
    assert visit.portion is not None, "what was read was asked for"
    apart = zip(visit.portion.apart, read.apart, strict=True)
    state = market_state(reader, head, source, visit.references, _market(reader, head, visit), apart)
    followed = source.mirror.log_filter(state)
    added = tuple(a for a in followed.addresses if a not in set(visit.stretch.followed.addresses))
    if added:
        log.info("new contracts", market=source.name, addresses=added)
        search = LogFilter(added, source.mirror.discovery_filter(state).topics)
        late = discovery.scan(book, search, head, visit.ask.progress) - touched
        [more] = reader.read(head, [ReadRequest(source, (), sorted(late))])
        if more.fault is not None:
            raise more.fault
        records.update(more.records)
        touched |= late
    named = source.references
    references = set(book.references)
    if named is not None:
        references.update(filter(None, map(named.reference, records.values())))
    if named is not None and not named.covers(state, references):
        asked = ReadRequest(
            source, [source.mirror.market_call(references)], (), apart_calls(source, references)
        )
        [wider] = reader.read(head, [asked])
        apart = zip(asked.apart, wider.apart, strict=True)
        state = market_state(reader, head, source, frozenset(references), wider.answers[0], apart)
    known = {a: book.rows.row(a) for a in sample}
    silent = frozenset(
        a
        for a in sample
        if a not in touched and (row := known[a]) is not None and book.rows.records[row] != records[a]
    )
    if silent and not visit.upgraded:
        log.warning("silent change", market=source.name, block=head.number, accounts=sorted(silent))
    views = book.read_views(sample, answers[1 : 1 + len(sample)])
    unbalanced = book.commit(Change(head, state, followed, records, touched | silent, visit.stretch.ancestor))
    newly_unbalanced = unbalanced if unbalanced and not book.unbalanced else ""
    book.unbalanced, book.doubted_from = unbalanced, None
    if silent or newly_unbalanced or (unbalanced and not head.number % CHECKPOINT_BLOCKS):
        book.doubt(head)
    elif not unbalanced:
        book.balanced_at = head.number
    return Refresh(
        touched=touched | silent,
        upgraded=visit.upgraded,
        views=views,
        reorganised=visit.stretch.reorganised,
        reverted=frozenset(sample) - views.keys(),
        answers=dict(zip(visit.ask.extra.calls, answers[1 + len(sample) :], strict=True)),
        heard=visit.heard,
        silent=silent,
        unbalanced=newly_unbalanced,
        rebuilt=visit.stretch.rebuilt,
    )
