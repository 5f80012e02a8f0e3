"""Blocks as the keeper needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keeper.chain.node import NodeError
from keeper.chain.pool import NodePool


@dataclass(frozen=True, slots=True)
class Head:
    """A block's identity, what the fees of the next one depend on, and its bloom (None: not told)."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int
    gas_limit: int
    bloom: int | None = field(default=None, compare=False, repr=False)


def parse(block: dict[str, Any]) -> Head:
    """A header as `eth_getBlockByNumber` and `eth_subscribe` give it; NodeError when it is none."""
    try:
        bloom = block.get("logsBloom")
        return Head(
            number=int(block["number"], 16),
            hash=block["hash"],
            parent=block["parentHash"],
            timestamp=int(block["timestamp"], 16),
            base_fee=int(block.get("baseFeePerGas") or "0x0", 16),
            gas_limit=int(block["gasLimit"], 16),
            bloom=int(bloom, 16) if bloom else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NodeError("gave no block where one was asked for", where="a node") from None


def latest(pool: NodePool) -> Head:
    return parse(pool.call("eth_getBlockByNumber", "latest", False))


def by_number(pool: NodePool, number: int) -> Head | None:
    block = pool.call("eth_getBlockByNumber", hex(number), False)
    return parse(block) if block else None
