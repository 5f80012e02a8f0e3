"""Commitment: the one place where a bid is weighed, signed and committed, before any byte leaves."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.chain import fees
from keeper.chain.blocks import Head
from keeper.execution import bid_limits, journal, limits, nonces
from keeper.execution.batch_rehearsal import Planned
from keeper.execution.rehearsal import Action, Rehearsal
from keeper.execution.sender import GasQuote, Sender
from keeper.execution.signatures import NotSignedError, begin, sign
from keeper.execution.submission import BUNDLE
from keeper.store.tables.journal import Transaction
from keeper.store.tables.states import IntentState


def sign_and_commit(
    sender: Sender,
    carried: Sequence[Planned],
    rehearsal: Rehearsal,
    quote: GasQuote,
    head: Head,
    *,
    bundled: bool = False,
) -> tuple[list[Transaction], list[Action]]:
    """Sign every rehearsed action at a bid that the plans bear, and commit it with the intents' new states.

    Returns the transactions and their actions; none where an intent is no longer planned. `bundled`: marked
    as part of a bundle for this head. TooDearError or NotSignedError where a ceiling forbids it: none is
    signed.
    """
    plans = [each.plan for each in carried]
    most = bid_limits.max_fee_per_gas(plans, sender.limits.max_gas_price, sum(rehearsal.used))
    price = fees.within(quote.price, most)
    rehearsal = bid_limits.bidding(rehearsal, plans, price.max_fee)
    signed = []
    with sender.store.session() as session:
        begin(sender, session)
        rows = journal.intents(session, [each.intent.id for each in carried])
        if any(row.state != IntentState.PLANNED for row in rows):
            return [], []
        if overspent := limits.overspent(session, sender.limits, rows):
            raise NotSignedError(overspent)
        numbers = [row.id for row in rows if row.id is not None]
        nonce = nonces.following(session, sender.chain, sender.address, quote.pending)
        for step, (action, gas) in enumerate(zip(rehearsal.actions, rehearsal.gas, strict=True)):
            row = sign(sender, session, head, action, gas, price, nonce + step, numbers)
            if bundled:
                row.channel, row.relayed_block = BUNDLE, head.number
                session.add(row)
            signed.append(row)
        if rehearsal.complete:
            for intent in rows:
                journal.move_intent(session, intent, IntentState.REHEARSED, head.number)
    return signed, list(rehearsal.actions)
