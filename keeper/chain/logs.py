"""Event logs in block ranges that shrink when a node refuses and grow again when it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain.node import NodeError, RpcError
from keeper.chain.pool import NodePool


@dataclass(frozen=True, slots=True)
class Log:
    """One event: who emitted it, its topics and data as hex, and its block."""

    address: str
    topics: tuple[str, ...]
    data: str
    block: int


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Contracts to listen to and the first topics that matter; addresses in lower case."""

    addresses: tuple[str, ...]
    topics: tuple[str, ...]

    def params(self) -> dict[str, Any]:
        return {"address": list(self.addresses), "topics": [list(self.topics)]}


def parse(raw: Sequence[dict[str, Any]]) -> list[Log]:
    return [
        Log(entry["address"].lower(), tuple(entry["topics"]), entry["data"], int(entry["blockNumber"], 16))
        for entry in raw
    ]


def of_block(pool: NodePool, block_hash: str, wanted: LogFilter) -> list[Log]:
    """The logs of exactly this block, whatever the chain's head has become."""
    return parse(pool.call("eth_getLogs", {**wanted.params(), "blockHash": block_hash}))


def of_range(
    pool: NodePool, first: int, last: int, wanted: LogFilter, size: int
) -> Iterator[tuple[int, list[Log]]]:
    """Logs of blocks first…last in order, as (last block covered, logs). Starts with `size` blocks a
    request, halves when the node refuses, doubles after each answer up to `size`; a refusal of a single
    block is raised."""
    width = size
    while first <= last:
        until = min(first + width - 1, last)
        query = {**wanted.params(), "fromBlock": hex(first), "toBlock": hex(until)}
        try:
            raw = pool.call("eth_getLogs", query)
        except (RpcError, NodeError) as error:
            if until == first or (isinstance(error, NodeError) and not error.refused):
                raise
            width = max((until - first + 1) // 2, 1)
            continue
        yield until, parse(raw)
        first = until + 1
        width = min(width * 2, size)
