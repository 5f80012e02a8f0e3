"""Nonces: reserved in the store by the row that signs, watched for use by others, gaps healed.

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
"""More nonces than a key uses between two looks: a node that counts so many more than were known is asked
again, and not believed alone. Signed so far ahead nothing would ever be included."""

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
    """The first nonce that nothing uses: not by the node's pending count, nor by any transaction of ours that
    is live or final, nor by what the chain was ever seen to count. A node that is behind changes nothing;
    KeeperError where it is far ahead of all that is known."""
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
    """The first nonce that neither the chain was seen to count nor a transaction of ours uses that is live or
    in a block; None for a key that was never used here."""
    ours = {"chain": chain, "sender": sender}
    highest = session.exec(_HIGHEST, params=ours).one()
    counted = session.exec(_COUNTED, params=ours).first()
    if counted is None and highest is None:
        return None
    return max(counted or 0, -1 if highest is None else highest + 1)


def pending(pool: NodePool, store: Store, sender: str) -> int:
    """How many transactions of the sender there are, with those that wait at nodes.

    What one node alone counts beyond all that is known here moves nothing: the least that any node says
    counts, and where the others are silent what is known."""
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
    """The most that the chain was seen to count; None before the first look."""
    return session.exec(_COUNTED, params={"chain": chain, "sender": sender}).first()


def count(
    session: Session, chain: str, sender: str, counted: int, block: int, taken: Collection[int]
) -> list[int]:
    """Note how many nonces the chain has used; those that something else than this journal used.

    `taken` are the nonces of ours that are known to be another's. What is ours and not known to be in a block
    or lost is waited for. Nothing is said of the nonces used before this key was first seen here. A count
    that falls (a reorganisation, a node behind) is no news.
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
    """Nonces that hold up later ones of ours: nobody uses them, neither we nor anything a node knows. Those
    of ours that are final are used, whatever a node that is stuck counts."""
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
