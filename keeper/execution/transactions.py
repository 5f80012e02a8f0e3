"""The journal of transactions: written before they are sent; each change of state is one row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from keeper.chain.fees import data_fee_of
from keeper.execution.journal import fee_of, note
from keeper.execution.lifecycle import LIVE, UNDECIDED, UNMINED, check_transaction
from keeper.store.rows import insert_row, insert_values, update_row
from keeper.store.tables.journal import Intent, LedgerEntry, Transaction, TransactionIntent, Transition
from keeper.store.tables.states import TransactionState

# Asked at every block; building a statement takes longer than running it.
_IN_STATES = (
    select(Transaction)
    .where(
        Transaction.chain == bindparam("chain"),
        Transaction.sender == bindparam("sender"),
        col(Transaction.state).in_(bindparam("states", expanding=True)),
    )
    .order_by(col(Transaction.nonce), col(Transaction.id))
)
_SOME_IN_STATES = _IN_STATES.with_only_columns(col(Transaction.id))
_STEPS = select(func.count()).where(TransactionIntent.intent_id == bindparam("intent"))
_WITH_HASH = select(Transaction.id).where(
    Transaction.chain == bindparam("chain"), Transaction.hash == bindparam("hash")
)


def is_recorded(session: Session, chain: str, digest: str) -> bool:
    """Whether the journal has a transaction with this hash."""
    return session.exec(_WITH_HASH, params={"chain": chain, "hash": digest}).first() is not None


def record(session: Session, transaction: Transaction, carries: Sequence[int], reason: str = "") -> None:
    """Write a signed transaction before it is sent, with the intents (ids) that it carries."""
    insert_row(session, transaction)
    assert transaction.id is not None
    for intent in carries:
        step = session.exec(_STEPS, params={"intent": intent}).one()
        insert_values(session, TransactionIntent, intent_id=intent, transaction_id=transaction.id, step=step)
    note(
        session,
        transaction_id=transaction.id,
        after=transaction.state,
        reason=reason,
        block=transaction.signed_block,
    )


def move(
    session: Session, transaction: Transaction, state: TransactionState, block: int, reason: str = ""
) -> None:
    """Change a transaction's state, with its row; LifecycleError for a move that the lifecycle does not
    know."""
    check_transaction(TransactionState(transaction.state), state)
    mined = state in (TransactionState.INCLUDED, TransactionState.FINAL)
    note(
        session,
        transaction_id=transaction.id,
        before=transaction.state,
        after=state,
        reason=reason,
        block=transaction.block if mined else block,
        block_hash=transaction.block_hash if mined else None,
        fee=fee_of(transaction) if mined else None,
    )
    session.add(transaction)
    update_row(session, transaction, state=state)
    session.flush()


def include(session: Session, transaction: Transaction, receipt: dict[str, Any], head: int) -> None:
    """Mark as included; mark our other transactions at this nonce replaced."""
    for rival in at_nonce(session, transaction.chain, transaction.sender, transaction.nonce, LIVE):
        if rival.id != transaction.id:
            if rival.state == TransactionState.INCLUDED:
                orphan(session, rival, head)
            move(session, rival, TransactionState.REPLACED, head, f"{transaction.hash} was included instead")
    transaction.block = int(receipt["blockNumber"], 16)
    transaction.block_hash = receipt["blockHash"]
    transaction.succeeded = int(receipt["status"], 16) == 1
    transaction.gas_used = int(receipt["gasUsed"], 16)
    transaction.gas_price = int(receipt.get("effectiveGasPrice") or hex(transaction.max_fee), 16)
    transaction.data_fee = data_fee_of(receipt)
    move(session, transaction, TransactionState.INCLUDED, head)


def orphan(session: Session, transaction: Transaction, head: int) -> None:
    """Mark as orphaned, its block having left the chain, and undo what it brought to the books."""
    entry = session.get(LedgerEntry, transaction.id)
    if entry is not None:
        session.delete(entry)
    left = f"block {transaction.block} {transaction.block_hash} left the chain"
    transaction.block = transaction.block_hash = transaction.succeeded = None
    transaction.gas_used = transaction.gas_price = transaction.data_fee = None
    move(session, transaction, TransactionState.ORPHANED, head, left)


def was_in_block(session: Session, transaction: Transaction) -> bool:
    """Whether a block ever had it: then everybody has seen it, and may submit it again."""
    return (
        session.exec(
            select(Transition.id).where(
                Transition.transaction_id == transaction.id, Transition.after == TransactionState.INCLUDED
            )
        ).first()
        is not None
    )


def undecided(session: Session, chain: str, sender: str) -> list[Transaction]:
    """Transactions that the chain may still decide otherwise, in the order of nonces, older ones first."""
    return _in_states(session, chain, sender, UNDECIDED)


def any_undecided(session: Session, chain: str, sender: str) -> bool:
    asked = {"chain": chain, "sender": sender, "states": sorted(UNDECIDED)}
    return session.connection().execute(_SOME_IN_STATES, asked).first() is not None


def unmined(session: Session, chain: str, sender: str) -> list[Transaction]:
    """Transactions that hold their nonce and are in no block, in the order of nonces."""
    return _in_states(session, chain, sender, UNMINED)


def live(session: Session, chain: str, sender: str) -> list[Transaction]:
    """Transactions that hold a nonce: unmined, or in a block that is not final."""
    return _in_states(session, chain, sender, LIVE)


def at_nonce(
    session: Session, chain: str, sender: str, nonce: int, states: Collection[TransactionState]
) -> list[Transaction]:
    return [t for t in _in_states(session, chain, sender, states) if t.nonce == nonce]


def intents_of(session: Session, transaction_id: int) -> list[Intent]:
    """The intents that a transaction carries."""
    return list(
        session.exec(
            select(Intent)
            .join(TransactionIntent, col(TransactionIntent.intent_id) == col(Intent.id))
            .where(TransactionIntent.transaction_id == transaction_id)
            .order_by(col(Intent.id))
        )
    )


def _in_states(
    session: Session, chain: str, sender: str, states: Collection[TransactionState]
) -> list[Transaction]:
    asked = {"chain": chain, "sender": sender, "states": sorted(states)}
    return list(session.exec(_IN_STATES, params=asked))
