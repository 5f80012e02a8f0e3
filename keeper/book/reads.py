"""Reads for all markets of a chain in one `eth_call`; more only where a node refuses one so large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from keeper.book.source import BookSource
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, Lens, run
from keeper.chain.node import Node, NodeError, RpcError, WrongStateError
from keeper.chain.pool import NodePool

# Accounts asked for in one call at first; halved when the call exceeds a node's gas, time or size.
MOST_ACCOUNTS = 5_000
# Further requests for market-wide state that did not fit into the first.
MOST_ROUNDS = 256


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What one market wants read at a block: single calls, the records of accounts, and after them calls on
    data that anybody can have made (`apart`), left out where a node refuses so much."""

    source: BookSource[Any, Any, Any]
    calls: Sequence[Call]
    accounts: Sequence[str]
    apart: Sequence[Call] = ()


@dataclass(frozen=True, slots=True)
class BookRead:
    """Answers to a request's calls in order, and the records. `fault`: why the records are not complete.
    Calls `apart` that were left out are starved: asked first, they may be answered."""

    answers: Sequence[Answer]
    records: Mapping[str, bytes]
    fault: Exception | None = None
    apart: Sequence[Answer] = ()


class NoStateError(WrongStateError):
    """Nothing at all was answered: the node lacks the block's state (seen just after reorgs), or the lens
    reverted without a reason or burnt all its gas."""


def run_whole(
    pool: NodePool,
    head: Head,
    calls: Sequence[Call],
    lenses: Sequence[Lens],
    enough: Callable[[Sequence[Answer]], bool],
) -> list[Answer]:
    """As `keeper.chain.calls.run`, at one node after the other until the answers are `enough`; NoStateError
    when no node gives enough."""

    empty = False

    def ask(node: Node) -> list[Answer]:
        nonlocal empty
        answers = run(cast(NodePool, _Alone(pool.name, node)), head, calls, lenses)
        if not enough(answers):
            empty = True
            raise _no_state(pool, head)
        return answers

    if not calls:
        return []
    try:
        found: list[Answer] = pool.call_by(ask)
    except WrongStateError:
        if empty:
            raise _no_state(pool, head) from None
        raise
    return found


@dataclass(frozen=True, slots=True)
class _Alone:
    """One node used in place of a pool."""

    name: str
    node: Node

    def call_by(self, ask: Callable[[Node], Any]) -> Any:
        return ask(self.node)


def _no_state(pool: NodePool, head: Head) -> NoStateError:
    return NoStateError(
        f"has no state of block {head.number}, or the contracts there answer nothing",
        where=f"chain {pool.name}",
    )


def _something(answers: Sequence[Answer]) -> bool:
    """Whether any call was answered, if only by a revert that gives a reason."""
    return not answers or any(each.ok or each.data for each in answers)


def _anything(answers: Sequence[Answer]) -> bool:
    return True


class Reader:
    """Reader of one chain. It remembers how large a call the node accepts, and tries larger ones again."""

    def __init__(self, pool: NodePool, workers: int = 1) -> None:
        self.pool = pool
        self.workers = workers
        self.width = MOST_ACCOUNTS

    def read(self, head: Head, portions: Sequence[ReadRequest]) -> list[BookRead]:
        """Read every portion at `head`, in one request where it fits; a call wanted twice is made once for
        all.

        NoStateError when no node has any market's state at the block; RpcError or NodeError when even the
        smallest call is refused. A market whose own answers are incomplete has that as its fault.
        """
        reading = _Reading(self, head, portions)
        single = list(dict.fromkeys(call for p in portions for call in p.calls))
        wanted = [(number, account) for number, p in enumerate(portions) for account in p.accounts]
        apart = list(dict.fromkeys(call for p in portions for call in p.apart))
        first = reading.part(wanted[: self.width], single, apart)
        answers = dict(zip(single, first.answers, strict=True))
        strange = dict(zip(apart, first.apart, strict=True))
        reading.rest(wanted[first.taken :])
        return [
            BookRead(
                [answers[call] for call in p.calls],
                reading.records[number],
                reading.faults.get(number),
                [strange[call] for call in p.apart],
            )
            for number, p in enumerate(portions)
        ]


@dataclass(frozen=True, slots=True)
class _Part:
    answers: Sequence[Answer]
    taken: int
    apart: Sequence[Answer] = ()


class _Reading:
    """One read of all portions: the records and faults found so far, by the portion's number."""

    def __init__(self, reader: Reader, head: Head, portions: Sequence[ReadRequest]) -> None:
        self.reader, self.pool, self.head, self.portions = reader, reader.pool, head, portions
        self.lenses = tuple(dict.fromkeys(lens for p in portions for lens in p.source.mirror.lenses()))
        self.records: list[dict[str, bytes]] = [{} for _ in portions]
        self.faults: dict[int, Exception] = {}

    def rest(self, wanted: Sequence[tuple[int, str]]) -> None:
        """Read what did not fit into the first call, several calls at once."""
        at, reader = 0, self.reader
        with ThreadPoolExecutor(reader.workers) as threads:
            while at < len(wanted):
                # A round of equal pieces; what a piece leaves is asked for in the next round.
                until = min(at + reader.width * reader.workers, len(wanted))
                pieces = [wanted[start : start + reader.width] for start in range(at, until, reader.width)]
                left: list[tuple[int, str]] = []
                for piece, part in zip(pieces, threads.map(self.part, pieces), strict=True):
                    left += piece[part.taken :]
                    at += len(piece)
                if left:
                    wanted = [*left, *wanted[at:]]
                    at = 0

    def part(
        self, wanted: Sequence[tuple[int, str]], single: Sequence[Call] = (), apart: Sequence[Call] = ()
    ) -> _Part:
        """Make one call with `single`, as many of the wanted accounts as the node accepts, and the calls
        `apart` where it accepts those too."""
        if not single and not wanted:
            return _Part((), 0)
        asked, strange, reader = list(wanted), list(apart), self.reader
        while True:
            groups = _by_portion(asked)
            calls = [self.portions[number].source.mirror.accounts_call(some) for number, some in groups]
            try:
                enough = _something if single else _anything
                got = run_whole(self.pool, self.head, [*single, *calls, *strange], self.lenses, enough)
            except (RpcError, NodeError) as error:
                if not refused(error) or (len(asked) <= 1 and not strange):
                    raise
                if strange:
                    # What strangers made is asked for by itself, after all that matters.
                    strange = []
                    continue
                reader.width = max(len(asked) // 2, 1)
                asked = asked[: reader.width]
                continue
            break
        until = len(single) + len(calls)
        for (number, accounts), answer in zip(groups, got[len(single) : until], strict=True):
            if number in self.faults:
                continue
            if not answer.ok and (len(accounts) > 1 or not answer.data):
                # Out of gas looks like a revert: fewer accounts tell which of the two it was.
                self._in_pieces(number, accounts)
            else:
                self._take(number, accounts, answer)
        if len(asked) == reader.width:
            reader.width = min(reader.width + reader.width // 8 + 1, MOST_ACCOUNTS)
        spared = [Answer(False, b"", starved=True) for _ in apart]
        return _Part(got[: len(single)], len(asked), got[until:] if strange else spared)

    def _in_pieces(self, number: int, accounts: Sequence[str]) -> None:
        """Read one market's accounts apart from the others', in ever smaller calls until they are
        answered."""
        mirror = self.portions[number].source.mirror
        at, width = 0, max(len(accounts) // 2, 1)
        while at < len(accounts) and number not in self.faults:
            chunk = accounts[at : at + width]
            try:
                # The last account is asked for at every node before the market is said to be at fault.
                enough = _something if len(chunk) == 1 else _anything
                calls = [mirror.accounts_call(chunk)]
                [answer] = run_whole(self.pool, self.head, calls, mirror.lenses(), enough)
            except NoStateError as error:
                self.faults[number] = error
                continue
            except (RpcError, NodeError) as error:
                if not refused(error) or len(chunk) == 1:
                    raise
                width = len(chunk) // 2
                continue
            if not answer.ok and len(chunk) > 1:
                width = len(chunk) // 2
                continue
            self._take(number, chunk, answer)
            at += len(chunk)
        if number not in self.faults:
            self.reader.width = min(self.reader.width, width)

    def _take(self, number: int, accounts: Sequence[str], answer: Answer) -> None:
        """Take the records from an answer; an error in them is this market's fault alone."""
        if not answer.ok and not answer.data:
            self.faults[number] = _no_state(self.pool, self.head)
            return
        try:
            self.records[number].update(self.portions[number].source.mirror.read_records(accounts, answer))
        except Exception as error:  # noqa: BLE001  (one market's fault is that market's alone)
            self.faults[number] = error


def _read_apart(
    pool: NodePool, head: Head, calls: Sequence[Call], lenses: Sequence[Lens]
) -> list[tuple[Call, Answer]]:
    """Answers to the first of these calls: as many as a node accepts in one request."""
    width = len(calls)
    while True:
        some = calls[:width]
        try:
            return list(zip(some, run(pool, head, some, lenses), strict=True))
        except (RpcError, NodeError) as error:
            if not refused(error) or width == 1:
                raise
            width //= 2


def market_state(
    reader: Reader,
    head: Head,
    source: BookSource[Any, Any, Any],
    references: frozenset[int],
    first: Answer,
    apart: Iterable[tuple[Call, Answer]],
) -> Any:
    """Read all market-wide state. What an answer left out is requested next, failed calls in smaller ones,
    until nothing more is answered."""
    state = source.mirror.read_market(first)
    found = list(apart)
    left = _left_out(source, [(source.mirror.market_call(references), first), *found])
    for _ in range(MOST_ROUNDS):
        if not left:
            break
        more = _read_apart(reader.pool, head, left, source.mirror.lenses())
        found += more
        again = _left_out(source, more)
        if again == [call for call, _ in more]:
            # What is asked first is not starved by others: it cannot be had here.
            again = []
        left = [*again, *left[len(more) :]]
    return source.stranger_reads.with_apart(state, found) if found and source.stranger_reads else state


def _left_out(source: BookSource[Any, Any, Any], answered: Iterable[tuple[Call, Answer]]) -> list[Call]:
    strangers = source.stranger_reads
    if strangers is None:
        return []
    return [rest for call, answer in answered for rest in strangers.rest_calls(call, answer)]


def apart_calls(source: BookSource[Any, Any, Any], references: Iterable[int]) -> tuple[Call, ...]:
    return tuple(source.stranger_reads.apart_calls(references)) if source.stranger_reads else ()


def refused(error: RpcError | NodeError) -> bool:
    return isinstance(error, RpcError) or error.refused


def _by_portion(wanted: Sequence[tuple[int, str]]) -> list[tuple[int, list[str]]]:
    groups: dict[int, list[str]] = {}
    for number, account in wanted:
        groups.setdefault(number, []).append(account)
    return list(groups.items())
