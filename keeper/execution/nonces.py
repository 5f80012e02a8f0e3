"""Nonces: reserved in the store by the row that signs, watched for foreign use, gaps healed.

A unique index allows one live transaction at each nonce, so two writers cannot reserve the same.
"""

from __future__ import annotations

from collections.abc import Collection

import structlog
from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from keeper.chain.pool import NodePool
from keeper.errors import KeeperError
from keeper.execution.lifecycle import LIVE, UNDECIDED
from keeper.store.database import Store
from keeper.store.tables.journal import SignerNonce, Transaction
from keeper.store.tables.states import TransactionState

log = structlog.get_logger()

FAR = 256
"""More nonces than a key uses between two looks. A node that counts this many beyond the known ones is asked
again and not believed alone: a transaction signed so far ahead would never be included."""

_MINED = frozenset({TransactionState.INCLUDED, TransactionState.FINAL})
_HIGHEST = select(func.max(Transaction.nonce)).where(
    Transaction.chain == bindparam("chain"),
    Transaction.sender == bindparam("sender"),
    col(Transaction.state).in_(LIVE | _MINED),
)
_COUNTED = select(SignerNonce.counted).where(
    SignerNonce.chain == bindparam("chain"), SignerNonce.sender == bindparam("sender")
)


def following(session: Session, chain: str, sender: str, pending: int) -> int:
    """The first unused nonce, by the node's pending count, our live and final transactions, and the highest
    count ever seen from the chain. A node that is behind changes nothing; KeeperError where it is far ahead
    of all that is known."""
    counted = _known(session, chain, sender)
    known = counted or 0
    if pending > known + FAR and counted is not None:
        raise KeeperError(
            f"{pending} nonces are said to be used, and {known} are known of: nothing is signed",
            where=f"chain {chain}",
            remedy="Ask another node; if the key is used elsewhere, stop that",
        )
    return max(pending, known)


def _known(session: Session, chain: str, sender: str) -> int | None:
    """The first nonce beyond the chain's counts and our transactions that are live or in a block; None for a
    key that was never used here."""
    ours = {"chain": chain, "sender": sender}
    highest = session.exec(_HIGHEST, params=ours).one()
    counted = session.exec(_COUNTED, params=ours).first()
    if counted is None and highest is None:
        return None
    return max(counted or 0, -1 if highest is None else highest + 1)


def pending(pool: NodePool, store: Store, sender: str) -> int:
    """The sender's count of transactions, including those that wait at nodes.

    A count that one node alone reports far beyond what is known changes nothing: the least of all nodes
    counts, and where the others are silent, the known count.
    """
    said = int(pool.call("eth_getTransactionCount", sender, "pending"), 16)
    with store.session() as session:
        counted = _known(session, pool.name, sender)
    if len(pool.nodes) == 1 or (counted is not None and said <= counted):
        return said
    answers = pool.call_each("eth_getTransactionCount", sender, "pending")
    told = [int(each, 16) for each in answers if isinstance(each, str)]
    least = min([said, *told])
    if len(told) < 2 and counted is not None:
        least = counted
    if least != said:
        log.warning("pending count disputed", chain=pool.name, said=said, least=least)
    return least


def seen(session: Session, chain: str, sender: str) -> int | None:
    """The highest count seen from the chain; None before the first look."""
    return session.exec(_COUNTED, params={"chain": chain, "sender": sender}).first()


def count(
    session: Session, chain: str, sender: str, counted: int, block: int, taken: Collection[int]
) -> list[int]:
    """Record how many nonces the chain has used; return those used by something else than this journal.

    `taken` are nonces of ours known to be used by another transaction. A nonce of ours neither known to be in
    a block nor lost is waited for. Nonces used before this key was first seen here are not reported. A count
    that falls (a reorganisation, a node behind) changes nothing.
    """
    row = session.get(SignerNonce, (chain, sender))
    if row is None:
        session.add(SignerNonce(chain=chain, sender=sender, counted=counted))
        return []
    states: dict[int, set[str]] = {}
    for nonce, state in session.exec(
        select(Transaction.nonce, Transaction.state).where(
            Transaction.chain == chain, Transaction.sender == sender, Transaction.nonce >= row.counted
        )
    ):
        states.setdefault(nonce, set()).add(state)
    foreign = []
    for nonce in range(row.counted, counted):
        ours = states.get(nonce, set())
        if not ours & _MINED:
            if ours & UNDECIDED and nonce not in taken:
                break
            foreign.append(nonce)
        row.counted = nonce + 1
    if foreign:
        row.foreign += len(foreign)
        row.foreign_nonce, row.foreign_block = foreign[-1], block
    session.add(row)
    return foreign


def gaps(session: Session, chain: str, sender: str, counted: int, pending: int) -> list[int]:
    """Nonces that hold up later ones of ours because nobody uses them, neither we nor anything a node knows.
    Our final transactions' nonces are used, whatever a stuck node counts."""
    used = set(
        session.exec(
            select(Transaction.nonce).where(
                Transaction.chain == chain,
                Transaction.sender == sender,
                col(Transaction.state).in_(LIVE | _MINED),
            )
        )
    )
    last = max(used, default=counted)
    return [nonce for nonce in range(max(counted, pending), last) if nonce not in used]
