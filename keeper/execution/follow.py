"""Following what was signed until the chain has decided it, with all nodes asked where one does not know."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import structlog

from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.chain.pool import NodePool
from keeper.execution import nonces, transactions
from keeper.execution.lane import Lane
from keeper.execution.lifecycle import UNMINED
from keeper.store.tables import Transaction, TransactionState

log = structlog.get_logger()

# Where a node knows no finalized block and no number is configured.
ASSUMED_CONFIRMATIONS = 64


def look(lane: Lane, head: Head, *, continuous: bool) -> int:
    """Bring every undecided transaction's state up to the chain's; the nonces that the chain has counted.

    `continuous`: the head follows the one looked at before, so that no block can have left the chain.
    """
    with lane.store.session() as session:
        flying = transactions.undecided(session, lane.chain, lane.sender)
    counted = _counted(lane)
    final = final_block(lane, head) if flying else head.number
    taken = set[int]()
    for transaction in flying:
        if _follow(lane, transaction, head, final, counted, continuous=continuous):
            taken.add(transaction.nonce)
    _note(lane, head, counted, taken)
    return counted


def count(lane: Lane, head: Head) -> None:
    """Notice what others did with the key, where nothing of ours was under way before this round."""
    _note(lane, head, _counted(lane), ())


def _counted(lane: Lane) -> int:
    counted = int(lane.pool.call("eth_getTransactionCount", lane.sender, "latest"), 16)
    with lane.store.session() as session:
        before = nonces.seen(session, lane.chain, lane.sender)
    if before is None or counted <= before + nonces.FAR:
        return counted
    # One wrong answer must not move the nonces for good: the least that any node says counts.
    answers = lane.pool.call_each("eth_getTransactionCount", lane.sender, "latest")
    said = [int(each, 16) for each in answers if isinstance(each, str)]
    log.warning("far ahead", chain=lane.chain, counted=counted, before=before, asked_again=said)
    return min(said, default=before)


def _note(lane: Lane, head: Head, counted: int, taken: Collection[int]) -> None:
    with lane.store.session() as session:
        foreign = nonces.count(session, lane.chain, lane.sender, counted, head.number, taken)
        if foreign:
            log.error("foreign nonce", chain=lane.chain, sender=lane.sender, nonces=foreign)
            lane.tell.foreign_nonce(session, lane.chain, lane.sender, foreign, head.number)


def final_block(lane: Lane, head: Head) -> int:
    """The newest block that is final: so many below the head, or the one the chain says is finalized."""
    if lane.limits.confirmations is not None:
        return head.number - lane.limits.confirmations + 1
    try:
        block = lane.pool.call("eth_getBlockByNumber", "finalized", False)
    except RpcError:
        block = None
    return int(block["number"], 16) if block else head.number - ASSUMED_CONFIRMATIONS + 1


def known(lane: Lane, transaction: Transaction) -> bool:
    """Whether any node has it, waiting or in a block."""
    return anywhere(lane.pool, "eth_getTransactionByHash", transaction.hash) is not None


def anywhere(pool: NodePool, method: str, digest: str) -> dict[str, Any] | None:
    """The first node's answer that is not null. NodeError when no node answers at all."""
    failure: NodeError | None = None
    answered = False
    for answer in pool.call_each(method, digest):
        if isinstance(answer, NodeError):
            failure = answer
        elif answer is not None:
            found: dict[str, Any] = answer
            return found
        else:
            answered = True
    if failure is not None and not answered:
        raise failure
    return None


def _follow(
    lane: Lane, transaction: Transaction, head: Head, final: int, counted: int, *, continuous: bool
) -> bool:
    """Look after one; whether something else is known to have used its nonce."""
    state = TransactionState(transaction.state)
    if state == TransactionState.INCLUDED:
        assert transaction.block is not None
        if not continuous or transaction.block <= final:
            _reexamine(lane, transaction, head, final)
        return False
    if transaction.nonce >= counted and state == TransactionState.REPLACED:
        return False
    receipt = lane.pool.call("eth_getTransactionReceipt", transaction.hash)
    by_another = False
    if receipt is None and transaction.nonce < counted:
        # The nonce is used: by this one, where another node may know, or by another.
        receipt, by_another = _whose(lane.pool, transaction)
    if receipt is not None:
        with lane.store.session() as session:
            row = session.get_one(Transaction, transaction.id)
            transactions.include(session, row, receipt, head.number)
            if (row.block or 0) <= final:
                transactions.move(session, row, TransactionState.FINAL, head.number)
        return False
    if by_another and _finally_used(lane, transaction, head, final):
        with lane.store.session() as session:
            row = session.get_one(Transaction, transaction.id)
            reason = "its nonce was used by another transaction"
            transactions.move(session, row, TransactionState.DROPPED, head.number, reason)
    return by_another


def _whose(pool: NodePool, transaction: Transaction) -> tuple[dict[str, Any] | None, bool]:
    """Its receipt at any node; else whether a node that has counted its nonce does not know it.

    A node that is behind, or gives no answer, proves nothing. The count is asked for first: a node that
    includes the transaction by then shows its receipt.
    """
    counts = pool.call_each("eth_getTransactionCount", transaction.sender, "latest")
    receipts = pool.call_each("eth_getTransactionReceipt", transaction.hash)
    found = next((each for each in receipts if isinstance(each, dict)), None)
    if found is not None:
        return found, False
    proofs = [
        receipt is None and isinstance(count, str) and int(count, 16) > transaction.nonce
        for count, receipt in zip(counts, receipts, strict=True)
    ]
    return None, any(proofs)


def _reexamine(lane: Lane, transaction: Transaction, head: Head, final: int) -> None:
    """Whether its block is still part of the chain, and final. A node that is behind says nothing."""
    assert transaction.block is not None
    block = lane.pool.call("eth_getBlockByNumber", hex(transaction.block), False)
    if block is None:
        return
    stays = block["hash"] == transaction.block_hash
    receipt = None if stays else lane.pool.call("eth_getTransactionReceipt", transaction.hash)
    with lane.store.session() as session:
        row = session.get_one(Transaction, transaction.id)
        if not stays:
            log.warning("orphaned", hash=row.hash, block=row.block)
            transactions.orphan(session, row, head.number)
            if receipt is not None:
                transactions.include(session, row, receipt, head.number)
        if row.block is not None and row.block <= final:
            transactions.move(session, row, TransactionState.FINAL, head.number)


def _finally_used(lane: Lane, transaction: Transaction, head: Head, final: int) -> bool:
    """Whether the nonce is used as of the final block: no reorganisation gives it back."""
    at = hex(final) if final < head.number else "latest"
    try:
        used = int(lane.pool.call("eth_getTransactionCount", transaction.sender, at), 16)
    except RpcError:
        return False
    return used > transaction.nonce


def in_block(transaction: Transaction) -> bool:
    """Whether the chain has it now."""
    return transaction.state in (TransactionState.INCLUDED, TransactionState.FINAL)


def waiting(transaction: Transaction) -> bool:
    """Whether it is ours at its nonce and in no block."""
    return TransactionState(transaction.state) in UNMINED
