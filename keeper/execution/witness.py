"""Nodes' evidence about a transaction, believed as far as the head's own chain and other nodes confirm it.

An inclusion holds only while its block, by hash, is an ancestor of the head. A node that knows a block and
does not list the transaction in it contradicts; a node that is behind, or gives no answer, proves nothing.
"""

from __future__ import annotations

from typing import Any

import structlog

from keeper.chain import blocks
from keeper.chain.answers import CannotError, NodeError, RpcError
from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool

log = structlog.get_logger()

# Where a node knows no finalized block and no number is configured.
ASSUMED_CONFIRMATIONS = 64
# A backend of a node that answers others may be so many blocks behind.
BEHIND_BLOCKS = 3


def is_known(pool: NodePool, digest: str) -> bool:
    """Whether any node has the transaction, waiting or in a block. NodeError when none answers."""
    answers = pool.call_each("eth_getTransactionByHash", digest)
    if all(isinstance(each, Exception) for each in answers):
        raise _first(answers)
    return any(isinstance(each, dict) for each in answers)


def is_used_by_another(pool: NodePool, sender: str, nonce: int, digest: str, head: Head) -> bool:
    """Whether every node that has the head counts this nonce as used some blocks ago, and has no receipt of
    the transaction: a receipt that old is known even where one address has backends that are behind."""
    old = max(head.number - BEHIND_BLOCKS, 0)
    has_head = pool.call_each("eth_getBlockByHash", head.hash, False)
    counts = pool.call_each("eth_getTransactionCount", sender, hex(old))
    receipts = pool.call_each("eth_getTransactionReceipt", digest)
    verdicts = [
        found is None and isinstance(count, str) and int(count, 16) > nonce
        for block, count, found in zip(has_head, counts, receipts, strict=True)
        if isinstance(block, dict) and not isinstance(found, Exception)
    ]
    return bool(verdicts) and all(verdicts)


def counted(pool: NodePool, sender: str, before: int | None, far: int, head: Head) -> int:
    """How many transactions of the sender the chain counts. A count that changed is checked with the nodes
    that have the head: the least counts. One far ahead of all known counts is asked for again."""
    said = int(pool.call("eth_getTransactionCount", sender, "latest"), 16)
    if before is None or said <= before or (len(pool.nodes) == 1 and said <= before + far):
        return said
    has_head = pool.call_each("eth_getBlockByHash", head.hash, False)
    answers = pool.call_each("eth_getTransactionCount", sender, "latest")
    pairs = zip(has_head, answers, strict=True)
    told = [int(each, 16) for block, each in pairs if isinstance(block, dict) and isinstance(each, str)]
    least = min(told, default=before)
    if least != said:
        log.warning("count disputed", chain=pool.name, counted=said, before=before, least=least)
    return max(least, before)


class Finality:
    """The newest final block as of one head: so many blocks below it, or the one that nodes report as
    finalized."""

    def __init__(self, pool: NodePool, head: Head, confirmations: int | None) -> None:
        self._pool = pool
        self._head = head
        self._confirmations = confirmations
        self._said: int | None = None
        self._agreed: int | None = None

    @property
    def block(self) -> int:
        """The number of the final block, by the node that is asked first."""
        if self._confirmations is not None:
            return self._head.number - self._confirmations + 1
        if self._said is None:
            try:
                found = self._pool.call("eth_getBlockByNumber", "finalized", False)
            except (RpcError, CannotError):
                found = None
            self._said = _number(found, self._assumed)
        return self._said

    def covers(self, number: int) -> bool:
        """Whether a block is final by every node that answers."""
        if number > self.block:
            return False
        if self._confirmations is None and self._agreed is None:
            answers = self._pool.call_each("eth_getBlockByNumber", "finalized", False)
            told = [_number(each, self._assumed) for each in answers if isinstance(each, dict)]
            self._agreed = min([self.block, *told])
        return self._agreed is None or number <= self._agreed

    @property
    def _assumed(self) -> int:
        return self._head.number - ASSUMED_CONFIRMATIONS + 1


def _number(block: Any, otherwise: int) -> int:
    try:
        return int(block["number"], 16)
    except (KeyError, TypeError, ValueError):
        return otherwise


def is_ancestor(pool: NodePool, head: Head, number: int, block_hash: str) -> bool:
    """Whether a block is the head or an ancestor of it. A block above it is not one yet."""
    if number >= head.number - 1:
        return block_hash == {head.number: head.hash, head.number - 1: head.parent}.get(number)
    found = blocks.by_number(pool, number)
    return found is not None and found.hash == block_hash


def _first(answers: list[Any]) -> NodeError:
    return next((each for each in answers if isinstance(each, NodeError)), NodeError("no answer", where=""))
