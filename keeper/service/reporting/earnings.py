"""What an intent earned, by the books."""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session

from keeper.execution import journal, transactions
from keeper.store.tables.journal import Intent, LedgerEntry
from keeper.store.tables.states import IntentState


def earned(session: Session, intent: Intent) -> Decimal | None:
    """What an intent earned: what its transactions brought, less their gas, in whole units of account.

    In a transaction of several each has an equal part of the gas and, if it was done, a part of the proceeds
    by what it was expected to gain. None while nothing of it is booked."""
    total, found = Decimal(0), False
    for transaction in journal.transactions_of(session, intent.id or 0):
        booking = session.get(LedgerEntry, transaction.id)
        if booking is None or booking.block_hash != transaction.block_hash:
            continue
        carried = transactions.intents_of(session, transaction.id or 0)
        done = [each for each in carried if each.state == IntentState.SETTLED] or carried
        weights = {each.id: max(each.gain, 1) for each in done}
        share = booking.value * weights.get(intent.id, 0) // sum(weights.values())
        net = share - -(-booking.gas // len(carried))
        total, found = total + Decimal(net).scaleb(-18), True
    return total if found else None
