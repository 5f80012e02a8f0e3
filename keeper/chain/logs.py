"""Event logs: of one block, checked against its bloom; of ranges that shrink when a node refuses them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import structlog
from eth_utils.crypto import keccak

from keeper.chain.answers import BusyError, NodeError
from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Log:
    """An event: its emitter, its topics and data as hex, its block, and its transaction's hash where the node
    gives one."""

    address: str
    topics: tuple[str, ...]
    data: str
    block: int
    transaction: str = ""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Contracts and first topics to match; addresses in lower case."""

    addresses: tuple[str, ...]
    topics: tuple[str, ...]

    def params(self) -> dict[str, Any]:
        return {"address": list(self.addresses), "topics": [list(self.topics)]}

    def joined(self, other: LogFilter) -> LogFilter:
        """A filter that matches what either matches, and perhaps more: any of the topics from any of the
        contracts."""
        return LogFilter(
            tuple(dict.fromkeys((*self.addresses, *other.addresses))),
            tuple(dict.fromkeys((*self.topics, *other.topics))),
        )

    def may_be_in(self, bloom: int) -> bool:
        """Whether a block with this bloom may hold an event that this filter matches."""
        return _may_hold(bloom, self.addresses) and _may_hold(bloom, self.topics)

    def of(self, logs: Iterable[Log]) -> list[Log]:
        """The logs that this filter matches."""
        addresses, topics = set(self.addresses), set(self.topics)
        return [each for each in logs if each.address in addresses and each.topics[0] in topics]


def parse(raw: Sequence[dict[str, Any]], where: str = "a node") -> list[Log]:
    """Parse logs as a node gives them; BusyError for an answer that is no list of logs."""
    try:
        return [
            Log(
                entry["address"].lower(),
                tuple(entry["topics"]),
                entry["data"],
                int(entry["blockNumber"], 16),
                str(entry.get("transactionHash") or ""),
            )
            for entry in raw
            if entry["topics"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BusyError("gave no logs where they were asked for", where=where) from None


def _asked(pool: NodePool, query: dict[str, Any]) -> list[Log]:
    found: list[Log] = pool.call_by(lambda node: parse(node.call("eth_getLogs", [query]), node.label))
    return found


def of_block(pool: NodePool, head: Head, wanted: LogFilter) -> list[Log]:
    """The logs of exactly this block, whatever the chain's head has become.

    Where there are none although the block's bloom allows some, another node is asked once more, if there is
    one: a bloom may claim too much, but a node may return too little.
    """
    query = {**wanted.params(), "blockHash": head.hash}
    found = _asked(pool, query)
    if found or head.bloom is None or not wanted.may_be_in(head.bloom):
        return found
    again = parse(pool.call_another("eth_getLogs", query))
    if again:
        log.warning("logs withheld", chain=pool.name, block=head.number, logs=len(again))
    return again


@lru_cache(maxsize=65_536)
def _bloom_of(item: str) -> int:
    """The three bits of one address or topic (0x hex) in a block's bloom filter.

    Source: Ethereum yellow paper, section 4.3.1 (M3:2048).
    """
    digest = keccak(hexstr=item)
    return sum({1 << (int.from_bytes(digest[at : at + 2], "big") % 2048) for at in (0, 2, 4)})


def _may_hold(bloom: int, items: Iterable[str]) -> bool:
    """Whether the bloom's block may hold one of the items; an item that it rules out is certainly absent."""
    return any(bloom & mask == mask for mask in map(_bloom_of, items))


class Width:
    """How many blocks one request may span, learnt from refusals and shared by concurrent requests."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._now = most
        self._lock = threading.Lock()

    @property
    def now(self) -> int:
        return self._now

    def refused(self, asked: int) -> None:
        with self._lock:
            self._now = min(self._now, max(asked // 2, 1))

    def answered(self, asked: int) -> None:
        with self._lock:
            self._now = min(max(self._now, asked * 2), self.most)


def of_range(
    pool: NodePool, first: int, last: int, wanted: LogFilter, size: int | Width
) -> Iterator[tuple[int, list[Log]]]:
    """Logs of blocks first…last in order, as (last block covered, logs). Starts with `size` blocks per
    request, halves when the node refuses, doubles after each answer up to `size`; a refusal of a single block
    is raised."""
    width = size if isinstance(size, Width) else Width(size)
    while first <= last:
        until = min(first + width.now - 1, last)
        query = {**wanted.params(), "fromBlock": hex(first), "toBlock": hex(until)}
        try:
            found = _asked(pool, query)
        except NodeError as error:
            if until == first or not error.refused:
                raise
            width.refused(until - first + 1)
            continue
        yield until, found
        width.answered(until - first + 1)
        first = until + 1


def of_range_at_once(
    pool: NodePool, first: int, last: int, wanted: LogFilter, size: int, workers: int
) -> Iterator[tuple[int, list[Log]]]:
    """As `of_range`, with up to `workers` concurrent requests; still in order, so that the logs yielded are
    complete up to the block named."""
    width = Width(size)
    if workers <= 1 or last - first < size:
        yield from of_range(pool, first, last, wanted, width)
        return

    def span(start: int, end: int) -> list[tuple[int, list[Log]]]:
        return list(of_range(pool, start, end, wanted, width))

    with ThreadPoolExecutor(workers) as threads:
        waiting: deque[Future[list[tuple[int, list[Log]]]]] = deque()
        try:
            while first <= last or waiting:
                while first <= last and len(waiting) < 2 * workers:
                    end = min(first + size - 1, last)
                    waiting.append(threads.submit(span, first, end))
                    first = end + 1
                yield from waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
