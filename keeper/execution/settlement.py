"""Settlement: end intents by what their transactions did, and reopen them when the chain took that back."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlmodel import Session

from keeper.chain.blocks import Head
from keeper.execution import batches, journal, transactions
from keeper.execution.follow import waiting
from keeper.execution.lifecycle import LifecycleError
from keeper.execution.rehearsal import is_needless
from keeper.execution.sender import ExecutionEvents, Sender
from keeper.model.plan import Plan
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import IntentState, TransactionState, Unsent

log = structlog.get_logger()

OVERTAKEN = "its transaction left the chain; a later attempt stands"
"""Reason for an attempt that a reorganisation undid after another was under way: no alert is needed."""

Outcome = tuple[IntentState, str, Transaction | None]


def settle(sender: Sender, head: Head) -> None:
    """End the open intents that the chain has decided; correct those that it has since decided otherwise."""
    _revisit(sender, head)
    with sender.store.session() as session:
        waiting_now = [intent.id or 0 for intent in journal.open_intents(session, sender.chain, "live")]

    def ask(number: int) -> None:
        with sender.store.session() as session:
            row = session.get_one(Intent, number)
            carried = journal.transactions_of(session, number)
            outcome = _outcome(sender, row, carried, head, sender.limits.settle_blocks)
            if outcome is not None and row.state == IntentState.REHEARSED:
                end(sender.tell, session, row, head, *outcome)

    def untold(number: int, error: Exception) -> None:
        # Undecided for want of an answer: it is looked at again with a later block.
        log.warning("not settled", intent=number, error=str(error))

    sender.settling.go(waiting_now, int, ask, untold)


def end(
    tell: ExecutionEvents,
    session: Session,
    row: Intent,
    head: Head,
    state: IntentState,
    why: str = "",
    act: Transaction | None = None,
    unsent: Unsent | None = None,
) -> None:
    """End an intent in the caller's transaction, and report it; `unsent`: what kept it from leaving."""
    journal.move_intent(session, row, state, head.number, why, act, unsent=unsent)
    if unsent is None or why == OVERTAKEN:
        tell.intent_ended(session, row, act, needless=_is_needless(row))
    else:
        tell.not_sent(session, row, unsent, why)
    log.info("intent ended", id=row.id, account=row.account, kind=row.kind, state=state, why=why)


def _is_needless(intent: Intent) -> bool:
    """Whether an intent ended because nothing was left to do: no alert is wanted."""
    return intent.reason == OVERTAKEN or is_needless(intent.reason, Plan.from_json(intent.plan).errors)


def _outcome(
    sender: Sender, intent: Intent, carried: Sequence[Transaction], head: Head, deep: int
) -> Outcome | None:
    """The chain's decision about an intent; None while there is none."""
    decisive = [t for t in carried if t.purpose in ("act", "cancel")]
    for transaction in decisive:
        mined = transaction.state in (TransactionState.INCLUDED, TransactionState.FINAL)
        if not mined or transaction.block is None:
            continue
        if head.number - transaction.block + 1 < deep:
            return None
        if transaction.purpose == "cancel":
            if any(t.purpose == "act" and t.nonce == transaction.nonce for t in carried):
                return IntentState.EXPIRED, intent.reason or "cancelled", transaction
            continue
        if transaction.succeeded:
            return _done(sender, intent, transaction, head)
        return IntentState.FAILED, "reverted on chain", transaction
    acts = [t for t in decisive if t.purpose == "act"]
    if acts and all(t.state == TransactionState.DROPPED for t in decisive):
        return IntentState.FAILED, "its nonce went to another transaction", acts[-1]
    return None


def _done(sender: Sender, intent: Intent, act: Transaction, head: Head) -> Outcome | None:
    """The outcome of one intent in a transaction that did not revert: where our contract carried it out among
    others, its logs say."""
    plan = Plan.from_json(intent.plan)
    if plan.batch_item is None:
        return IntentState.SETTLED, "", act
    since = act.signed_block if act.block is None else act.block
    receipt = sender.receipts.of(act.hash, head, since) or sender.receipts.anywhere(act.hash, head)
    if receipt is None or receipt.get("blockHash") != act.block_hash:
        return None
    [outcome] = batches.outcomes([plan], receipt["logs"])
    if outcome.done:
        return IntentState.SETTLED, "", act
    state = IntentState.EXPIRED if is_needless(outcome.problem, plan.errors) else IntentState.FAILED
    return state, outcome.problem, act


def _revisit(sender: Sender, head: Head) -> None:
    """Correct ended intents whose transactions the chain has decided otherwise, or still may."""
    with sender.store.session() as session:
        undecided = transactions.undecided(session, sender.chain, sender.address)
        ended = {
            intent.id or 0
            for transaction in undecided
            for intent in transactions.intents_of(session, transaction.id or 0)
            if not IntentState(intent.state).open
        }

    def ask(number: int) -> None:
        try:
            with sender.store.session() as session:
                _set_right(sender, session, session.get_one(Intent, number), head)
        except LifecycleError as error:
            # A fault of our own in one intent is that intent's: the others are settled, and blocks go on.
            log.error("not set right", intent=number, error=str(error))

    def untold(number: int, error: Exception) -> None:
        log.warning("not set right", intent=number, error=str(error))

    sender.revisiting.go(sorted(ended), int, ask, untold)


def _set_right(sender: Sender, session: Session, row: Intent, head: Head) -> None:
    carried = journal.transactions_of(session, row.id or 0)
    if row.state == IntentState.REFUSED:
        return
    outcome = _outcome(sender, row, carried, head, 1)
    if outcome is not None:
        state, why, act = outcome
        if state != row.state and not (row.state == IntentState.EXPIRED and act and act.purpose == "cancel"):
            log.warning("decided otherwise", intent=row.id, before=row.state, after=state)
            end(sender.tell, session, row, head, state, why or "the chain decided otherwise", act)
        return
    if not any(waiting(t) for t in carried if t.purpose in ("act", "cancel")):
        return
    left = "its transaction left the chain"
    key = (row.chain, row.market, row.account, row.kind)
    if journal.has_open(session, *key, "live"):
        if row.state == IntentState.SETTLED:
            end(sender.tell, session, row, head, IntentState.EXPIRED, OVERTAKEN, unsent=Unsent.REORGANISED)
        return
    log.warning("opened again", intent=row.id, before=row.state)
    journal.move_intent(session, row, IntentState.REHEARSED, head.number, left)
