"""One block of one chain, step by step. Daemon, fork, demo and tests run this and nothing else.

The two loops meet only in the journal: deciding writes intents and acting reads them. What only reports is
written after acting has sent.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import structlog

from keeper.alerts import execution_alerts
from keeper.chain.answers import RpcError
from keeper.chain.blocks import Head
from keeper.errors import UnreachableError
from keeper.execution.loop import ExecutionLoop
from keeper.service.backrun.update_watch import UpdateWatch
from keeper.service.chain_loop import ChainLoop
from keeper.service.reporting import status
from keeper.service.reporting.block_report import TickResult

log = structlog.get_logger()


@dataclass(slots=True)
class ChainLoops:
    """The two loops of one chain; `actor` is None where nobody acts."""

    deciding: ChainLoop
    actor: ExecutionLoop | None = None
    acted: Head | None = None
    """The block that the acting loop last worked at: another of the same number is another block."""
    acting: threading.Lock = field(default_factory=threading.Lock)
    looking: threading.Lock = field(default_factory=threading.Lock)
    """Held while the markets are looked at: at a block, or as a pending update would leave them."""
    watch: UpdateWatch | None = None

    @property
    def acted_at(self) -> int:
        """Number of the block that the acting loop last worked at; -1 before the first."""
        return -1 if self.acted is None else self.acted.number


def tick(chain: ChainLoops, head: Head) -> TickResult:
    """Work through one block."""
    settle(chain, head)
    with chain.looking:
        result = decide(chain.deciding, head)
        if chain.watch is not None:
            chain.watch.updates.follow()
    try:
        advance(chain)
    finally:
        # Whatever came of acting: what was seen is written down.
        with chain.looking:
            chain.deciding.report(result)
            if chain.watch is not None:
                chain.watch.updates.learn()
    return result


def decide(chain: ChainLoop, head: Head) -> TickResult:
    """Decide at `head`: learn and write all that must be known before anybody acts."""
    started = time.monotonic()
    chain.begin(head)
    head = chain.bring_prices(head)
    valued = chain.value(head)
    chain.check_halt(head)
    breaches = chain.judge(valued)
    confirmed = chain.confirm(head, breaches)
    due = chain.with_work(head, confirmed)
    decisions = chain.plan_all(head, due)
    chain.commit(head, confirmed, decisions)
    chain.end(head)
    wanted = [breach for each in confirmed for breach in each.wanted]
    return TickResult(head, started, [(each.market, each.valued) for each in confirmed], wanted, decisions)


def settle(chain: ChainLoops, head: Head) -> None:
    """Learn what became of our transactions. Where no node answers, accounts are valued all the same, and the
    acting loop asks again before it signs."""
    if chain.actor is None:
        return
    with chain.acting:
        try:
            chain.actor.settle(head)
        except (UnreachableError, RpcError) as error:
            log.warning("cannot settle", chain=chain.deciding.pool.name, block=head.number, error=str(error))


def advance(chain: ChainLoops) -> bool:
    """Rehearse, sign and send what is in the journal, once per decided block; False where that was done."""
    deciding, actor = chain.deciding, chain.actor
    with chain.acting:
        head = deciding.head
        if head is None or head == chain.acted:
            return False
        if actor is not None and not deciding.halt_reason:
            actor.carry(head, deciding.next_timestamp(head))
        standby_reason = actor.standby_reason if actor else ""
        with deciding.store.session() as session:
            status.write_acted(session, deciding.pool.name, deciding.mode, head.number, standby_reason)
            if actor is not None and standby_reason and not actor.leading:
                execution_alerts.standing_by(session, deciding.pool.name, standby_reason)
        chain.acted = head
    return True
