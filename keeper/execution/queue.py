"""The queue: planned intents to carry now, expired intents, or a pause, in one look at the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from keeper.chain.blocks import Head
from keeper.execution import follow, journal
from keeper.execution.batch_rehearsal import Planned
from keeper.execution.journal import Mode
from keeper.execution.limits import DAY_SECONDS, Limits
from keeper.execution.pause_file import paused
from keeper.model.plan import Plan
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState, Unsent
from keeper.store.tables.watching import MarketStatus

_STOPPED = select(MarketStatus.market).where(
    MarketStatus.chain == bindparam("chain"), col(MarketStatus.may_act).is_(False)
)


@dataclass(frozen=True, slots=True)
class Expired:
    """An intent that is carried no further, the state that it ends in, and why."""

    intent: Intent
    state: IntentState
    why: str
    unsent: Unsent
    """What kept it from leaving, through no fault of its plan."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of one round. `paused` says who stopped sending; the rest is then not acted upon."""

    paused: str
    waiting: Sequence[Planned]
    over: Sequence[Expired]


def look(
    session: Session,
    chain: str,
    mode: Mode,
    limits: Limits,
    head: Head,
    pause_file: Path | None,
    next_timestamp: int = 0,
) -> Queue:
    """Read the queue from the store; `next_timestamp` is when the next block is expected."""
    waiting, over = list[Planned](), list[Expired]()
    intents = [i for i in journal.open_intents(session, chain, mode) if i.state == IntentState.PLANNED]
    sent = journal.carried(session, [i.id for i in intents if i.id is not None])
    stopped = set(session.exec(_STOPPED, params={"chain": chain})) if intents else set()
    since = head.timestamp - DAY_SECONDS
    failed = journal.failed_since(session, chain, "liquidate", mode, since) if intents else Counter()
    for intent in intents:
        assert intent.id is not None
        carried = journal.transactions_of(session, intent.id) if intent.id in sent else ()
        if any(follow.waiting(each) for each in carried):
            continue
        plan = Plan.from_json(intent.plan)
        if intent.market in stopped and not plan.sized_by_contract:
            # Planned before the numbers were found to differ: what it rests on is not known to hold.
            over.append(Expired(intent, IntentState.REFUSED, "the market is watched only", Unsent.WATCH_ONLY))
        elif plan.is_over(next_timestamp) and not carried:
            why = "was not sent in time: the prices that it brings are too old for the next block"
            over.append(Expired(intent, IntentState.EXPIRED, why, Unsent(intent.unsent or Unsent.AGED)))
        elif head.number - intent.planned_block > limits.plan_blocks and not carried:
            why = (
                f"was not sent in time: {intent.reason or 'no node answered, or nothing was sent meanwhile'}"
            )
            unsent = Unsent(intent.unsent or Unsent.NO_ANSWER)
            over.append(Expired(intent, IntentState.EXPIRED, why, unsent))
        else:
            alone = intent.kind == "liquidate" and bool(failed[intent.market, intent.account])
            waiting.append(Planned(intent, plan, alone))
    return Queue(paused(session, pause_file), waiting, over)
