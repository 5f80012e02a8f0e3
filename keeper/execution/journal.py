"""The journal of intents: committed before the first byte leaves; each change of state is one row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import Session, col, select

from keeper.chain.blocks import Head
from keeper.execution.lifecycle import LIVE, check_intent
from keeper.model.plan import CURES, Plan, rivals
from keeper.store.rows import insert_row, insert_values, update_row
from keeper.store.tables.journal import Intent, Transaction, TransactionIntent, Transition
from keeper.store.tables.states import OPEN_INTENTS, IntentState, TransactionState, Unsent
from keeper.store.types import now

Mode = Literal["dry", "live"]
LIMIT_WAIT = 60
"""Seconds until an intent held up by an operator's limit is tried again: the limit may have made room."""
# Attempts that ended this way have spent, or may have spent, what they planned.
_SPENDING = (*OPEN_INTENTS, IntentState.SETTLED)

# Asked at every block; building a statement takes longer than running it.
_OPEN = (
    select(Intent)
    .where(
        Intent.chain == bindparam("chain"),
        Intent.mode == bindparam("mode"),
        col(Intent.state).in_(OPEN_INTENTS),
    )
    .order_by(col(Intent.id))
)
_SOME_OPEN = _OPEN.with_only_columns(col(Intent.id))
_THESE = (
    select(Intent).where(col(Intent.id).in_(bindparam("numbers", expanding=True))).order_by(col(Intent.id))
)
_ATTEMPTS = (
    select(Intent.state, Intent.ended_block, Intent.unsent, Intent.planned_timestamp)
    .where(
        Intent.episode_id == bindparam("episode"),
        col(Intent.kind).in_(bindparam("kinds", expanding=True)),
        Intent.mode == bindparam("mode"),
    )
    .order_by(col(Intent.attempt))
)
_ANY_CARRIED = select(TransactionIntent.intent_id).where(
    col(TransactionIntent.intent_id).in_(bindparam("numbers", expanding=True))
)
_FAILED = select(Intent.market, Intent.account).where(
    Intent.chain == bindparam("chain"),
    Intent.kind == bindparam("kind"),
    Intent.mode == bindparam("mode"),
    Intent.planned_timestamp > bindparam("since"),
    Intent.state == IntentState.FAILED,
)
_CARRIED = (
    select(Transaction)
    .join(TransactionIntent, col(TransactionIntent.transaction_id) == col(Transaction.id))
    .where(TransactionIntent.intent_id == bindparam("intent"))
    .order_by(col(TransactionIntent.step))
)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Outcomes of an episode's attempts so far. Attempts that never left, through no fault of their plan, are
    counted but are no failures: `last_block` is where the last other attempt ended. `retry_at` is the Unix
    time before which an operator's limit is not tried again (0: no limit stood in the way)."""

    open: bool
    count: int
    failures_in_a_row: int
    last_block: int | None
    retry_at: int = 0


def attempts(session: Session, episode_id: int, kind: str, mode: Mode) -> Attempts:
    """Outcomes of all attempts of an episode, of this kind or in its stead."""
    rows = session.exec(_ATTEMPTS, params={"episode": episode_id, "kinds": rivals(kind), "mode": mode}).all()
    left = [(IntentState(state), ended) for state, ended, unsent, _ in rows if not unsent]
    failures = 0
    for state, _ in reversed(left):
        if state == IntentState.SETTLED or state.open:
            break
        failures += 1
    limited = bool(rows) and rows[-1][2] == Unsent.LIMIT
    return Attempts(
        open=any(IntentState(row[0]).open for row in rows),
        count=len(rows),
        failures_in_a_row=failures,
        last_block=left[-1][1] if left else None,
        retry_at=rows[-1][3] + LIMIT_WAIT if limited else 0,
    )


def has_open(session: Session, chain: str, market: str, account: str, kind: str, mode: Mode) -> bool:
    """Whether an intent of this key, or one in its stead, is open, in whichever episode it was made."""
    return (
        session.exec(
            select(Intent.id).where(
                Intent.chain == chain,
                Intent.market == market,
                Intent.account == account,
                col(Intent.kind).in_(rivals(kind)),
                Intent.mode == mode,
                col(Intent.state).in_(OPEN_INTENTS),
            )
        ).first()
        is not None
    )


def commit(
    session: Session,
    chain: str,
    head: Head,
    plan: Plan,
    episode_id: int,
    mode: Mode,
    *,
    health: int = 0,
    spend: int = 0,
    gain: int = 0,
) -> Intent:
    """Write a plan made at `head` as an intent; the store's unique indices refuse a second open one for the
    same key. `spend` and `gain` are money (1e-18 of the unit of account)."""
    intent = Intent(
        chain=chain,
        market=plan.market,
        account=plan.account,
        kind=plan.kind,
        mode=mode,
        episode_id=episode_id,
        attempt=attempts(session, episode_id, plan.kind, mode).count + 1,
        state=IntentState.PLANNED,
        plan=plan.to_json(),
        summary=json.dumps(plan.summary),
        health=health,
        spend=spend,
        gain=gain,
        loss=plan.loss,
        planned_block=head.number,
        planned_timestamp=head.timestamp,
    )
    insert_row(session, intent)
    note(session, intent_id=intent.id, after=IntentState.PLANNED, block=head.number)
    return intent


def note(
    session: Session,
    *,
    after: str,
    block: int | None,
    intent_id: int | None = None,
    transaction_id: int | None = None,
    before: str = "",
    reason: str = "",
    block_hash: str | None = None,
    fee: int | None = None,
) -> None:
    """Record one row for one change of state, of an intent or of a transaction."""
    insert_values(
        session,
        Transition,
        intent_id=intent_id,
        transaction_id=transaction_id,
        before=before,
        after=after,
        reason=reason,
        block=block,
        block_hash=block_hash,
        fee=fee,
        at=now(),
    )


def move_intent(
    session: Session,
    intent: Intent,
    state: IntentState,
    block: int,
    reason: str = "",
    act: Transaction | None = None,
    unsent: Unsent | None = None,
) -> None:
    """Change an intent's state, with its row. `act` is the transaction that decided it, `unsent` the cause
    that kept an attempt from leaving at all. LifecycleError for a move that the lifecycle does not know."""
    check_intent(IntentState(intent.state), state)
    note(
        session,
        intent_id=intent.id,
        before=intent.state,
        after=state,
        reason=reason,
        block=block,
        block_hash=act.block_hash if act else None,
        fee=fee_of(act) if act else None,
    )
    ended = None if state.open else block
    update_row(session, intent, state=state, reason=reason, ended_block=ended, unsent=unsent or "")


def hold_up(session: Session, intent: Intent, cause: Unsent, why: str) -> None:
    """Record why a planned intent could not be sent now; it stays planned."""
    if intent.state == IntentState.PLANNED and (intent.unsent, intent.reason) != (cause, why):
        update_row(session, intent, unsent=cause, reason=why)


def fee_of(transaction: Transaction) -> int | None:
    """Wei that a transaction cost, including charges besides gas; None while it is in no block."""
    if transaction.gas_used is None or transaction.gas_price is None:
        return None
    return transaction.gas_used * transaction.gas_price + (transaction.data_fee or 0)


def open_intents(session: Session, chain: str, mode: Mode) -> Sequence[Intent]:
    return session.exec(_OPEN, params={"chain": chain, "mode": mode}).all()


def intents(session: Session, numbers: Sequence[int | None]) -> list[Intent]:
    """These intents (ids), oldest first."""
    return list(session.exec(_THESE, params={"numbers": list(numbers)}))


def any_open(session: Session, chain: str, mode: Mode) -> bool:
    return session.connection().execute(_SOME_OPEN, {"chain": chain, "mode": mode}).first() is not None


def failed_since(session: Session, chain: str, kind: str, mode: Mode, since: int) -> Counter[tuple[str, str]]:
    """How many attempts planned after `since` (Unix time) failed on chain, by market and account."""
    asked = {"chain": chain, "kind": kind, "mode": mode, "since": since}
    return Counter((market, account) for market, account in session.exec(_FAILED, params=asked))


def spent_since(session: Session, market: str, account: str, mode: Mode, since: int) -> int:
    """Money that this account's intents spent or may still spend, planned after `since` (Unix time)."""
    of_account = (Intent.market == market, Intent.account == account)
    return sum(session.exec(select(Intent.spend).where(*_spending(mode, since), *of_account)))


def spent_for_owner(
    session: Session, owner: str, whose: Callable[[str, str], str], mode: Mode, since: int
) -> int:
    """As `spent_since`, of all top-ups for this owner's accounts on every chain and market. `whose` answers
    the owner of a market's account."""
    rows = session.exec(
        select(Intent.market, Intent.account, Intent.spend).where(
            *_spending(mode, since), col(Intent.kind).in_(CURES)
        )
    )
    return sum(spend for market, account, spend in rows if whose(market, account) == owner)


def lost_since(session: Session, mode: Mode, since: int) -> int:
    """Money that intents of all accounts may lose by realizing bad debt, planned after `since` (Unix time).
    Intents that ended without leaving, or were refused, lost nothing."""
    ended = (*OPEN_INTENTS, IntentState.SETTLED, IntentState.FAILED)
    rows = session.exec(
        select(Intent.loss).where(
            Intent.mode == mode, Intent.planned_timestamp > since, col(Intent.state).in_(ended)
        )
    )
    return sum(rows)


def gas_of(session: Session, market: str, account: str, kind: str, mode: Mode, since: int) -> int:
    """Wei of gas that an account's intents of this kind cost, planned after `since` (Unix time). Transactions
    in no block yet count with the most that they may cost."""
    rows = session.exec(
        select(Transaction)
        .join(TransactionIntent, col(TransactionIntent.transaction_id) == col(Transaction.id))
        .join(Intent, col(TransactionIntent.intent_id) == col(Intent.id))
        .where(
            Intent.market == market,
            Intent.account == account,
            Intent.kind == kind,
            Intent.mode == mode,
            Intent.planned_timestamp > since,
            col(Transaction.state).in_((*LIVE, TransactionState.FINAL)),
        )
        .distinct()
    )
    found = [(row, fee_of(row)) for row in rows]
    return sum(row.gas_limit * row.max_fee if fee is None else fee for row, fee in found)


def _spending(mode: Mode, since: int) -> tuple[ColumnElement[bool] | bool, ...]:
    return Intent.mode == mode, Intent.planned_timestamp > since, col(Intent.state).in_(_SPENDING)


def transactions_of(session: Session, intent_id: int) -> Sequence[Transaction]:
    """The transactions that carry an intent, in order."""
    return session.exec(_CARRIED, params={"intent": intent_id}).all()


def carried(session: Session, numbers: Sequence[int]) -> set[int]:
    """The given intents (ids) that any transaction carries or carried."""
    return set(session.exec(_ANY_CARRIED, params={"numbers": list(numbers)})) if numbers else set()


def last_of_allowance(session: Session, chain: str, token: str, spender: str) -> int | None:
    """The newest intent (id) carried by an approval of this token for this spender."""
    rows = session.exec(
        select(TransactionIntent.intent_id, Transaction)
        .join(Transaction, col(TransactionIntent.transaction_id) == col(Transaction.id))
        .where(Transaction.chain == chain, Transaction.purpose == "approve")
        .order_by(col(Transaction.id).desc())
        .limit(100)
    )
    for intent, transaction in rows:
        if transaction.target.lower() == token and transaction.data[34:74].lower() == spender[2:]:
            return intent
    return None
