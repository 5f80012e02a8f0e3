"""Blocks as the keeper needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keeper.chain.pool import NodePool


@dataclass(frozen=True, slots=True)
class Head:
    """A block's identity and what the fees of the next one depend on."""

    number: int
    hash: str
    parent: str
    timestamp: int
    base_fee: int
    gas_limit: int


def _head(block: dict[str, Any]) -> Head:
    return Head(
        number=int(block["number"], 16),
        hash=block["hash"],
        parent=block["parentHash"],
        timestamp=int(block["timestamp"], 16),
        base_fee=int(block.get("baseFeePerGas", "0x0"), 16),
        gas_limit=int(block["gasLimit"], 16),
    )


def latest(pool: NodePool) -> Head:
    return _head(pool.call("eth_getBlockByNumber", "latest", False))


def by_number(pool: NodePool, number: int) -> Head | None:
    block = pool.call("eth_getBlockByNumber", hex(number), False)
    return _head(block) if block else None
