"""Follow signed transactions until the chain has decided them, by evidence of nodes and the head's chain."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from keeper.chain import blocks
from keeper.chain.answers import NodeError, RpcError
from keeper.chain.blocks import Head
from keeper.execution import nonces, transactions, witness
from keeper.execution.lifecycle import UNMINED
from keeper.execution.sender import Sender
from keeper.execution.witness import Finality
from keeper.store.tables.journal import Transaction
from keeper.store.tables.states import TransactionState

log = structlog.get_logger()


def look(sender: Sender, head: Head, *, continuous: bool) -> int:
    """Bring every undecided transaction's state up to the chain's; return the nonces that the chain has
    counted.

    `continuous`: the head follows the previous one, so no block can have left the chain. A transaction that
    no node can report on stays as it is; after several such, the rest wait for the next round (`Turns`).
    """
    with sender.store.session() as session:
        flying = transactions.undecided(session, sender.chain, sender.address)
    counted = _counted(sender, head)
    finality = Finality(sender.pool, head, sender.limits.confirmations)
    taken = set[int]()

    def ask(transaction: Transaction) -> None:
        if _follow(sender, transaction, head, finality, counted, continuous=continuous):
            taken.add(transaction.nonce)

    def untold(transaction: Transaction, error: Exception) -> None:
        log.warning("cannot follow", chain=sender.chain, hash=transaction.hash, error=str(error))

    sender.following.go(flying, lambda each: each.id or 0, ask, untold)
    _note(sender, head, counted, taken)
    return counted


def count(sender: Sender, head: Head) -> None:
    """Record foreign uses of the key, where no transaction of ours was in flight before this round."""
    _note(sender, head, _counted(sender, head), ())


def _counted(sender: Sender, head: Head) -> int:
    with sender.store.session() as session:
        before = nonces.seen(session, sender.chain, sender.address)
    return witness.counted(sender.pool, sender.address, before, nonces.FAR, head)


def _note(sender: Sender, head: Head, counted: int, taken: Collection[int]) -> None:
    with sender.store.session() as session:
        foreign = nonces.count(session, sender.chain, sender.address, counted, head.number, taken)
        if foreign:
            log.error("foreign nonce", chain=sender.chain, sender=sender.address, nonces=foreign)
            sender.tell.foreign_nonce(session, sender.chain, sender.address, foreign, head.number)


def _follow(
    sender: Sender,
    transaction: Transaction,
    head: Head,
    finality: Finality,
    counted: int,
    *,
    continuous: bool,
) -> bool:
    """Follow one transaction; returns whether something else is known to have used its nonce."""
    state = TransactionState(transaction.state)
    if state == TransactionState.INCLUDED:
        assert transaction.block is not None
        if not continuous or transaction.block <= finality.block:
            _reexamine(sender, transaction, head, finality)
        return False
    if transaction.nonce >= counted and state == TransactionState.REPLACED:
        return False
    receipt = sender.receipts.of(transaction.hash, head, transaction.signed_block)
    if receipt is None and transaction.nonce < counted and len(sender.pool.nodes) > 1:
        # The nonce is used: by this one, where another node may know, or by another.
        receipt = sender.receipts.anywhere(transaction.hash, head)
    if receipt is not None:
        is_final = finality.covers(int(receipt["blockNumber"], 16))
        with sender.store.session() as session:
            row = session.get_one(Transaction, transaction.id)
            transactions.include(session, row, receipt, head.number)
            if is_final:
                transactions.move(session, row, TransactionState.FINAL, head.number)
        return False
    if transaction.nonce >= counted:
        return False
    by_another = _is_ours(sender, transaction) or witness.is_used_by_another(
        sender.pool, transaction.sender, transaction.nonce, transaction.hash, head
    )
    if by_another and _finally_used(sender, transaction, head, finality.block):
        with sender.store.session() as session:
            row = session.get_one(Transaction, transaction.id)
            reason = "its nonce was used by another transaction"
            transactions.move(session, row, TransactionState.DROPPED, head.number, reason)
    return by_another


def _is_ours(sender: Sender, transaction: Transaction) -> bool:
    """Whether another transaction of ours is in a final block at this nonce."""
    with sender.store.session() as session:
        key = (sender.chain, transaction.sender, transaction.nonce)
        return bool(transactions.at_nonce(session, *key, {TransactionState.FINAL}))


def _reexamine(sender: Sender, transaction: Transaction, head: Head, finality: Finality) -> None:
    """Check whether its block is still part of the chain, and final. A node that is behind proves nothing."""
    assert transaction.block is not None
    block = blocks.by_number(sender.pool, transaction.block)
    if block is None:
        return
    stays = block.hash == transaction.block_hash
    receipt = None if stays else sender.receipts.of(transaction.hash, head, transaction.signed_block)
    number = transaction.block if stays else int(receipt["blockNumber"], 16) if receipt else None
    is_final = number is not None and finality.covers(number)
    with sender.store.session() as session:
        row = session.get_one(Transaction, transaction.id)
        if not stays:
            log.warning("orphaned", hash=row.hash, block=row.block)
            transactions.orphan(session, row, head.number)
            if receipt is not None:
                transactions.include(session, row, receipt, head.number)
        if is_final:
            transactions.move(session, row, TransactionState.FINAL, head.number)


def _finally_used(sender: Sender, transaction: Transaction, head: Head, final: int) -> bool:
    """Whether the nonce is used as of the final block, so that no reorganisation gives it back."""
    at = hex(final) if final < head.number else "latest"
    try:
        used = int(sender.pool.call("eth_getTransactionCount", transaction.sender, at), 16)
    except (RpcError, NodeError):
        return False
    return used > transaction.nonce


def waiting(transaction: Transaction) -> bool:
    """Whether the transaction holds its nonce and is in no block."""
    return TransactionState(transaction.state) in UNMINED
