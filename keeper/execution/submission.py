"""Submission of signed transactions. A lost answer counts as maybe sent: the follower finds out."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlmodel import Session

from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.execution import refusal, transactions
from keeper.execution.refusal import Refusal
from keeper.execution.sender import Sender
from keeper.store.tables.journal import Transaction
from keeper.store.tables.states import TransactionState

log = structlog.get_logger()

PUBLIC = "public"
BUNDLE = "bundle"
"""Channels by which a transaction was last handed over; besides these, the relay's other kind."""
# How often a refused bid is raised to what the node asks for, before the next block is waited for.
RAISES = 3


def send(sender: Sender, transactions_: Sequence[Transaction], head: Head) -> None:
    """Hand the raw transactions over in their order, to the relay or a node; after a refused one the later
    ones wait. Accepted ones are recorded together at the end: a crash before leaves them signed, which counts
    as maybe sent."""
    taken: list[tuple[Transaction, str, str]] = []
    for transaction in transactions_:
        hidden = private(sender, transaction, head)
        if not hidden and transaction.relayed_block is not None and transaction.channel != PUBLIC:
            _swallowed(sender, transaction)
        if hidden:
            why = _privately(sender, transaction, head)
        else:
            transaction, why = _publicly(sender, transaction, head)
        if why is None:
            break
        sender.waiting.discard(transaction.hash)
        taken.append((transaction, sender.relay.kind if hidden and sender.relay else PUBLIC, why))
    if taken:
        with sender.store.session() as session:
            for transaction, channel, why in taken:
                _sent(session, transaction, head, channel, why)


def _publicly(sender: Sender, transaction: Transaction, head: Head) -> tuple[Transaction, str | None]:
    """Hand over to a node, or a successor that bids what the node asks for; returns what to record, None when
    it was refused."""
    for _ in range(RAISES):
        try:
            sender.pool.send(transaction.raw)
        except NodeError as error:
            # Words that nobody knows count as no answer; what the chain shows may say more.
            lost = f"no answer, maybe sent: {error.what}"
            successor = _refused(sender, transaction, head, error.what, lost)
        except RpcError as error:
            successor = _refused(sender, transaction, head, error.message)
        else:
            return transaction, ""
        if not isinstance(successor, Transaction):
            return transaction, successor
        transaction = successor
    return transaction, None


def _refused(
    sender: Sender, transaction: Transaction, head: Head, message: str, lost: str | None = None
) -> Transaction | str | None:
    """A successor to hand over instead; what to record where the transaction is there, or (`lost`) may be;
    None: it was refused, or waits."""
    try:
        found = refusal.meaning(sender, transaction, message)
        if found == Refusal.THERE:
            return lost or message
        if found == Refusal.WAITS:
            sender.waiting.add(transaction.hash)
            return None
        ask = refusal.asked(sender, transaction, head, message, sure=lost is None)
        if ask is not None:
            return refusal.bid_what_is_asked(sender, transaction, head, ask)
    except (NodeError, RpcError) as error:
        return lost or f"{message}; {error.what}"
    if lost is None:
        log.warning("refused by the node", hash=transaction.hash, error=message)
        refusal.tell(sender, transaction, "refused", f"a node refuses it: {message}")
    return lost


def private(sender: Sender, transaction: Transaction, head: Head) -> bool:
    """Whether it (still) goes by the relay: within so many blocks since its nonce was first used."""
    return sender.relay is not None and head.number - transaction.first_block < sender.relay.fallback_blocks


def _privately(sender: Sender, transaction: Transaction, head: Head) -> str | None:
    """Hand over to the relay; one that does not accept is asked again at the next block, until the
    fallback."""
    assert sender.relay is not None
    try:
        sender.relay.send(transaction.raw, head.number)
    except NodeError as error:
        return f"no answer, maybe sent: {error}"
    except RpcError as error:
        log.warning("refused by the relay", hash=transaction.hash, error=error.message)
        return None
    return f"to {sender.relay.label}"


def _sent(session: Session, transaction: Transaction, head: Head, channel: str, why: str) -> None:
    row = session.get_one(Transaction, transaction.id)
    row.channel = channel
    if channel != PUBLIC and row.relayed_block is None:
        row.relayed_block = head.number
    if row.state in (TransactionState.SIGNED, TransactionState.ORPHANED):
        transactions.move(session, row, TransactionState.SENT, head.number, why)
    session.add(row)


def _swallowed(sender: Sender, transaction: Transaction) -> None:
    """Report that the relay took it and no block has it; from now on it is sent publicly."""
    label = sender.relay.label if sender.relay else "the relay"
    log.warning("relay silent", relay=label, hash=transaction.hash, since=transaction.relayed_block)
    with sender.store.session() as session:
        sender.tell.relay_silent(session, sender.chain, label, transaction)
