"""Sending a signed transaction. A lost answer counts as maybe sent: the follower finds out."""

from __future__ import annotations

import structlog

from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.chain.pool import NodePool
from keeper.execution import journal
from keeper.store.database import Store
from keeper.store.tables import Transaction, TransactionState

log = structlog.get_logger()

_ALREADY_THERE = ("already known", "already imported", "known transaction", "nonce too low")


def send(pool: NodePool, store: Store, transaction: Transaction, head: Head) -> bool:
    """Hand the raw transaction to a node; False when the node refused it, so that later ones wait."""
    why = ""
    try:
        pool.call("eth_sendRawTransaction", transaction.raw)
    except NodeError as error:
        why = f"no answer, maybe sent: {error.what}"
    except RpcError as error:
        if not any(text in error.message.lower() for text in _ALREADY_THERE):
            log.warning("refused by the node", hash=transaction.hash, error=error.message)
            return False
        why = error.message
    with store.session() as session:
        row = session.get_one(Transaction, transaction.id)
        journal.move_transaction(session, row, TransactionState.SENT, head.number, why)
    return True
