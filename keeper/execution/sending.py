"""Handing a signed transaction over. A lost answer counts as maybe sent: the follower finds out."""

from __future__ import annotations

import structlog

from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.execution import transactions
from keeper.execution.lane import Lane
from keeper.store.tables import Transaction, TransactionState

log = structlog.get_logger()

PUBLIC = "public"
_ALREADY_THERE = ("already known", "already imported", "known transaction", "nonce too low")


def send(lane: Lane, transaction: Transaction, head: Head) -> bool:
    """Hand the raw transaction to the relay or a node; False when it was refused, so that later ones wait."""
    if private(lane, transaction, head):
        return _privately(lane, transaction, head)
    if transaction.relayed_block is not None and transaction.channel != PUBLIC:
        _swallowed(lane, transaction, head)
    why = ""
    try:
        lane.pool.call("eth_sendRawTransaction", transaction.raw)
    except NodeError as error:
        why = f"no answer, maybe sent: {error.what}"
    except RpcError as error:
        if not any(text in error.message.lower() for text in _ALREADY_THERE):
            log.warning("refused by the node", hash=transaction.hash, error=error.message)
            return False
        why = error.message
    _sent(lane, transaction, head, PUBLIC, why)
    return True


def private(lane: Lane, transaction: Transaction, head: Head) -> bool:
    """Whether it (still) goes by the relay: within so many blocks since its nonce was first used."""
    return lane.relay is not None and head.number - transaction.first_block < lane.relay.fallback_blocks


def _privately(lane: Lane, transaction: Transaction, head: Head) -> bool:
    """To the relay; one that does not take it is asked again at the next block, until the fallback."""
    assert lane.relay is not None
    why = f"to {lane.relay.label}"
    try:
        lane.relay.send(transaction.raw, head.number)
    except NodeError as error:
        why = f"no answer, maybe sent: {error}"
    except RpcError as error:
        log.warning("refused by the relay", hash=transaction.hash, error=error.message)
        return False
    _sent(lane, transaction, head, lane.relay.kind, why)
    return True


def _sent(lane: Lane, transaction: Transaction, head: Head, channel: str, why: str) -> None:
    with lane.store.session() as session:
        row = session.get_one(Transaction, transaction.id)
        row.channel = channel
        if channel != PUBLIC and row.relayed_block is None:
            row.relayed_block = head.number
        if row.state in (TransactionState.SIGNED, TransactionState.ORPHANED):
            transactions.move(session, row, TransactionState.SENT, head.number, why)
        session.add(row)


def _swallowed(lane: Lane, transaction: Transaction, head: Head) -> None:
    """The relay took it and no block has it: told, and from now on everybody may see it."""
    label = lane.relay.label if lane.relay else "the relay"
    log.warning("relay silent", relay=label, hash=transaction.hash, since=transaction.relayed_block)
    with lane.store.session() as session:
        lane.tell.relay_silent(session, lane.chain, label, transaction)
