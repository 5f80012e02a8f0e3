"""Nonces: reserved in the store by the row that signs, watched for use by others, gaps healed.

A unique index allows one live transaction at each nonce, so two writers cannot reserve the same.
"""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from keeper.execution.lifecycle import LIVE
from keeper.store.tables import SignerNonce, Transaction, TransactionState

_MINED = (TransactionState.INCLUDED, TransactionState.FINAL)


def following(session: Session, chain: str, sender: str, pending: int) -> int:
    """The first nonce that neither the node's pending count nor a live transaction of ours uses."""
    highest = session.exec(
        select(func.max(Transaction.nonce)).where(
            Transaction.chain == chain,
            Transaction.sender == sender,
            col(Transaction.state).in_(LIVE),
        )
    ).one()
    return pending if highest is None else max(pending, highest + 1)


def count(session: Session, chain: str, sender: str, counted: int, block: int) -> list[int]:
    """Note how many nonces the chain has used; those that no transaction of ours in a block used.

    Nothing is said of the nonces used before this key was first seen here. A count that falls (a
    reorganisation, a node behind) is no news.
    """
    row = session.get(SignerNonce, (chain, sender))
    if row is None:
        session.add(SignerNonce(chain=chain, sender=sender, counted=counted))
        return []
    if counted <= row.counted:
        return []
    ours = set(
        session.exec(
            select(Transaction.nonce).where(
                Transaction.chain == chain,
                Transaction.sender == sender,
                Transaction.nonce >= row.counted,
                col(Transaction.state).in_(_MINED),
            )
        )
    )
    foreign = [nonce for nonce in range(row.counted, counted) if nonce not in ours]
    row.counted = counted
    if foreign:
        row.foreign += len(foreign)
        row.foreign_nonce, row.foreign_block = foreign[-1], block
    session.add(row)
    return foreign


def gaps(session: Session, chain: str, sender: str, counted: int, pending: int) -> list[int]:
    """Nonces that hold up later ones of ours: nobody uses them, neither we nor anything a node knows."""
    held = set(
        session.exec(
            select(Transaction.nonce).where(
                Transaction.chain == chain,
                Transaction.sender == sender,
                col(Transaction.state).in_(LIVE),
            )
        )
    )
    last = max(held, default=counted)
    return [nonce for nonce in range(max(counted, pending), last) if nonce not in held]
