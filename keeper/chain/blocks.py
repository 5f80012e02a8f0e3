"""Block headers: read by newest, number or hash, and parsed."""

from __future__ import annotations

from typing import Any

from keeper.chain.answers import BusyError, WrongStateError
from keeper.chain.head import Head as Head
from keeper.chain.node import Node
from keeper.chain.pool import NodePool

HASH_BYTES = 32


def parse(block: Any, where: str = "a node") -> Head:
    """Parse a header as `eth_getBlockByNumber` and `eth_subscribe` give it; BusyError when it is not one."""
    try:
        bloom = block.get("logsBloom")
        return Head(
            number=int(block["number"], 16),
            hash=_hash(block["hash"]),
            parent=_hash(block["parentHash"]),
            timestamp=int(block["timestamp"], 16),
            base_fee=int(block.get("baseFeePerGas") or "0x0", 16),
            gas_limit=int(block["gasLimit"], 16),
            bloom=int(bloom, 16) if bloom else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BusyError("gave no block where one was asked for", where=where) from None


def _hash(text: str) -> str:
    if len(bytes.fromhex(text[2:])) != HASH_BYTES:
        raise ValueError("no hash")
    return text


def latest(pool: NodePool) -> Head:
    """The newest block of the node asked first, or of another where that has none."""

    def ask(node: Node) -> Head:
        block = node.call("eth_getBlockByNumber", ["latest", False])
        if block is None:
            raise WrongStateError("has no newest block", where=node.label)
        return parse(block, node.label)

    found: Head = pool.call_by(ask)
    return found


def by_number(pool: NodePool, number: int) -> Head | None:
    """The block of that number; None where no node has one. A header of another number is no answer."""

    def ask(node: Node) -> Head:
        block = node.call("eth_getBlockByNumber", [hex(number), False])
        if block is None:
            raise WrongStateError(f"has no block {number}", where=node.label)
        head = parse(block, node.label)
        if head.number != number:
            raise WrongStateError(f"gave block {head.number} for block {number}", where=node.label)
        return head

    try:
        found: Head = pool.call_by(ask)
    except WrongStateError:
        return None
    return found


def is_known(pool: NodePool, digest: str) -> bool:
    """Whether any node knows a block of this hash, or no node can answer."""
    answers = pool.call_each("eth_getBlockByHash", digest, False)
    return any(isinstance(each, dict) for each in answers) or all(isinstance(e, Exception) for e in answers)
