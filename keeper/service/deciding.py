"""The deciding loop of one chain, once a block: refresh, value, judge, plan, journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from keeper.alerts import books, notices, outbox
from keeper.book.reading import Reader
from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.heads import Heads
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.execution import journal
from keeper.execution.journal import Mode
from keeper.policy.choose import Decision
from keeper.policy.levels import Policies
from keeper.protocols.base import Impossible
from keeper.service import clock, judging, price_status, redeeming
from keeper.service.markets import MarketRun
from keeper.service.planning import Planner, Wanted
from keeper.service.pricing import Pricing
from keeper.service.record import Recorder
from keeper.service.selecting import Rows
from keeper.service.valuing import Valued, confirm, value_together
from keeper.store.database import Store
from keeper.store.tables import ChainStatus, Intent, MarketStatus
from keeper.store.types import now

log = structlog.get_logger()

# Blocks to wait after the n-th failure in a row: 2, 4, … up to this.
LONGEST_WAIT = 256
UNDER_WAY = "an attempt is under way, or its last failure is waited out"


@dataclass
class Deciding:
    """State of one chain's deciding loop: its markets, the last head, what the block time seems to be."""

    pool: NodePool
    store: Store
    settings: Settings
    policies: Policies
    runs: list[MarketRun]
    mode: Mode
    payer: str | None
    recorder: Recorder | None = None
    head: Head | None = None
    blocks_seen: int = 0
    seconds_a_block: Decimal | None = None
    failures: dict[str, str] = field(default_factory=dict)
    on_head: Callable[[], None] | None = None
    """Called from another thread when a subscription tells of a new block; None: heads are polled for."""
    held: str = ""
    """Why nothing is planned or sent on this chain now: the clock differs, or the sequencer is down."""

    def __post_init__(self) -> None:
        self.reader = Reader(self.pool, self.settings.chains[self.pool.name].parallel_requests)
        self.heads = Heads(self.pool, self.settings.chains[self.pool.name], self.on_head)
        self._open: dict[str, judging.Open] | None = None
        self._told: dict[str, set[str]] = {}
        for run in self.runs:
            chain = self.settings.chains[self.pool.name]
            run.prices = Pricing(run.name, run.settings, chain, self.pool, run.adapter.lenses())
            price_status.restore(self.store, run.prices)

    def new_head(self) -> Head | None:
        """The newest block, or None when this loop has been there or none is due."""
        seconds = self.seconds_a_block
        return self.heads.newest(float(seconds) if seconds is not None else None)

    def told(self) -> bool:
        """Whether a subscription told of a newer block; no request is made."""
        seconds = self.seconds_a_block
        return self.heads.told(float(seconds) if seconds is not None else None)

    def tick(self, head: Head | None = None) -> Head | None:
        """One round at `head` (else at the newest block); None when there is no new one."""
        head = head or self.new_head()
        if head is None:
            return None
        started = time.monotonic()
        self._learn_block_time(head)
        valued = self.value(head)
        wanted = [each for run, at in valued for each in self.judge(run, at)]
        self._hold(head)
        due = [w for w in wanted if not self.held and self._due(w, head)]
        valued, due = self._confirm(head, valued, due)
        decisions = self._planner(head).decide(due)
        self._write(head, valued, decisions)
        if self.mode == "live" and self.payer is not None and not self.held:
            acting = [run for run, at in valued if at.acting]
            redeeming.redeem(self.pool, self.store, self.settings, head, acting, self.payer)
        if self.recorder is not None:
            planned = {id(w) for w, _ in decisions}
            for run, at in valued:
                held = {
                    w.valuation.account: UNDER_WAY for w in wanted if w.run is run and id(w) not in planned
                }
                held |= {
                    w.valuation.account: d.outcome.reason
                    for w, d in decisions
                    if w.run is run and isinstance(d.outcome, Impossible)
                }
                self.recorder.write(run, at, self.policies, held)
        self.head = head
        self.heads.done(head)
        self.blocks_seen += 1
        log.info(
            "block",
            chain=self.pool.name,
            number=head.number,
            accounts=sum(at.accounts for _, at in valued),
            exact=sum(len(at.valuations) for _, at in valued),
            below=len(wanted),
            planned=sum(not isinstance(d.outcome, Impossible) for _, d in decisions),
            ms=round((time.monotonic() - started) * 1000, 1),
        )
        return head

    def save_books(self) -> None:
        """Write down what a restart continues from."""
        for run in self.runs:
            run.book.save()

    def value(self, head: Head) -> list[tuple[MarketRun, Valued]]:
        """All markets of the chain, read together; one that fails is told of and left out."""
        if self._open is None:
            self._open = judging.open_episodes(self.store, [run.name for run in self.runs])
        watches = {
            run.name: judging.watch(
                run, self.policies, self._open[run.name], everything=self.recorder is not None
            )
            for run in self.runs
        }
        protected = {run.name: self.policies.protected(run.name) for run in self.runs}
        found = value_together(self.reader, self.runs, head, protected, watches, self.next_timestamp(head))
        valued: list[tuple[MarketRun, Valued]] = []
        for run, at in zip(self.runs, found, strict=True):
            if isinstance(at, Exception):
                self._market_failed(run, head, at)
            else:
                self._noticed(run, at)
                valued.append((run, at))
        return valued

    def _noticed(self, run: MarketRun, at: Valued) -> None:
        """Tell what the book noticed of chain and nodes at this block."""
        refresh = at.refresh
        self._notices(run, at)
        if refresh is None or not (refresh.rebuilt or refresh.silent or refresh.unbalanced):
            return
        with self.store.session() as session:
            if refresh.rebuilt:
                books.rebuilt(session, run.name, at.head.number)
            if refresh.silent:
                books.silent_change(session, run.name, at.head.number, sorted(refresh.silent))
            if refresh.unbalanced:
                books.unbalanced(session, run.name, at.head.number, refresh.unbalanced)

    def _notices(self, run: MarketRun, at: Valued) -> None:
        """Tell, once an episode, what the adapter says of its whole market."""
        known = self._told.get(run.name)
        standing = run.adapter.notices(run.book.state)
        if known is not None and standing.keys() == known:
            return
        with self.store.session() as session:
            known = notices.open_notices(session, run.name) if known is None else set(known)
            notices.note(session, run.name, at.head.number, standing, known)
        self._told[run.name] = known

    def _hold(self, head: Head) -> None:
        """Hold still while block time and clock differ or the sequencer is down; told when it begins."""
        before = self.held
        outages = (run.prices.sequencer.complaint for run in self.runs if run.prices is not None)
        off = clock.complaint(self.settings.chains[self.pool.name], head, time.time())
        self.held = off or next(filter(None, outages), "")
        if self.held and not before:
            log.error("held", chain=self.pool.name, why=self.held)
            with self.store.session() as session:
                kind = "clock_off" if off else "sequencer_down"
                outbox.held(session, self.pool.name, head.number, kind, self.held)

    def next_timestamp(self, head: Head) -> int:
        """When the next block is expected: the amounts of a plan are exact at that second."""
        return head.timestamp + max(int(self.seconds_a_block or 1), 1)

    def _learn_block_time(self, head: Head) -> None:
        fixed = self.settings.chains[self.pool.name].block_time
        if fixed is not None:
            self.seconds_a_block = fixed
            return
        before = self.head
        if before is None or before.number >= head.number:
            before = blocks.by_number(self.pool, head.number - 1) if head.number else None
        if before is not None and head.number > before.number:
            gone = Decimal(head.timestamp - before.timestamp) / (head.number - before.number)
            self.seconds_a_block = gone

    def judge(self, run: MarketRun, at: Valued) -> list[Wanted]:
        """Keep the episodes, and ask for an action where a threshold that asks for one is crossed."""
        assert self._open is not None, "a market is valued before it is judged"
        try:
            try:
                return self._judge(run, at)
            except (IntegrityError, judging.StaleEpisodesError):
                # Another keeper writes to the same store: what is remembered of it is out of date.
                self._open = judging.open_episodes(self.store, [each.name for each in self.runs])
                return self._judge(run, at)
        except BaseException:
            # What was not committed must not be remembered.
            self._open = None
            raise

    def _judge(self, run: MarketRun, at: Valued) -> list[Wanted]:
        assert self._open is not None
        with self.store.session() as session:
            return judging.judge(session, run, at, self.policies, self._open[run.name])

    def _confirm(
        self, head: Head, valued: list[tuple[MarketRun, Valued]], due: list[Wanted]
    ) -> tuple[list[tuple[MarketRun, Valued]], list[Wanted]]:
        """Nobody is acted on by our numbers alone: the contract's own view of each must be equal."""
        confirmed = []
        for run, at in valued:
            accounts = [w.valuation.account for w in due if w.run is run]
            difference = confirm(run, head, accounts) if accounts and at.acting else ""
            if difference:
                at = replace(at, acting=False, newly_stopped=difference)
                due = [w for w in due if w.run is not run]
            confirmed.append((run, at))
        return confirmed, due

    def _due(self, wanted: Wanted, head: Head) -> bool:
        """Whether an attempt may be made now: none open, the last one's outcome read, failures waited out."""
        assert wanted.episode.id is not None
        key = (self.pool.name, wanted.run.name, wanted.valuation.account, wanted.kind, self.mode)
        with self.store.session() as session:
            if journal.has_open(session, *key):
                return False
            made = journal.attempts(session, wanted.episode.id, wanted.kind, self.mode)
        if self.mode == "dry":
            return made.count == 0
        if made.last_block is None:
            return True
        wait = min(2**made.failures_in_a_row, LONGEST_WAIT) if made.failures_in_a_row else 0
        return head.number >= made.last_block + wait

    def _planner(self, head: Head) -> Planner:
        return Planner(
            self.pool,
            self.runs,
            self.store,
            self.settings,
            head,
            self.next_timestamp(head),
            self.mode,
            self.payer,
        )

    def _write(
        self,
        head: Head,
        valued: list[tuple[MarketRun, Valued]],
        decisions: list[tuple[Wanted, Decision]],
    ) -> None:
        """Intents, reasons and status of this block, in one transaction."""
        with self.store.session() as session:
            for wanted, decision in decisions:
                self._journal(session, head, wanted, decision)
            for run, at in valued:
                self._status(session, run, at)
                price_status.write(session, run, at, self.policies.protected(run.name))
            self._chain_status(session, head)

    def decide_ahead(self, head: Head, wanted: list[Wanted]) -> list[int]:
        """Plan and journal liquidations that a pending update on top of `head` is about to make possible.
        Each comes with an episode that is in no store yet and is opened with its intent. The intents' ids."""
        if self._open is None or self.held:
            return []
        decisions = self._planner(head).decide([w for w in wanted if self._new(w)])
        made: list[tuple[Wanted, int]] = []
        with self.store.session() as session:
            for each, decision in decisions:
                if not isinstance(decision.outcome, Impossible):
                    session.add(each.episode)
                    session.flush()
                    intent = self._journal(session, head, each, decision)
                    if intent is not None and intent.id is not None:
                        made.append((each, intent.id))
        for each, _ in made:
            known, account = self._open[each.run.name], each.valuation.account
            assert each.episode.id is not None
            known.put(account, "liquidate", judging.OpenEpisode(each.episode.id, each.episode.lowest_health))
            known.foreseen.add(account)
        return [number for _, number in made]

    def liquidatable(self, run: MarketRun) -> Rows:
        """Rows with an open episode of the liquidation threshold."""
        return self._open[run.name].rows("liquidate", run.book.rows) if self._open else np.zeros(0, np.int64)

    def _new(self, wanted: Wanted) -> bool:
        """Whether nothing is known yet of this account being liquidatable, nor under way about it."""
        assert self._open is not None
        if (wanted.valuation.account, "liquidate") in self._open[wanted.run.name].known:
            return False
        with self.store.session() as session:
            key = (self.pool.name, wanted.run.name, wanted.valuation.account, wanted.kind)
            return not journal.has_open(session, *key, self.mode)

    def _journal(self, session: Session, head: Head, wanted: Wanted, decision: Decision) -> Intent | None:
        """The intent of what was decided; without one, why nothing is done."""
        outcome = decision.outcome
        assert wanted.episode.id is not None
        episode = session.merge(wanted.episode)
        if isinstance(outcome, Impossible):
            protected = wanted.levels.protection is not None
            episode.held, episode.opens_at = outcome.reason, outcome.opens_at
            outbox.cannot_act(session, episode, wanted.kind, protected=protected)
            log.info(
                "no action",
                market=wanted.run.name,
                account=wanted.valuation.account,
                why=outcome.reason,
                opens_at=outcome.opens_at,
            )
            return None
        episode.held, episode.opens_at = "", None
        if outcome.redeem and self.payer is not None:
            redeeming.expect(session, wanted.run.name, self.payer, outcome.redeem, head.number)
        return journal.commit(
            session,
            journal.Draft(
                chain=self.pool.name,
                market=outcome.market,
                account=outcome.account,
                kind=outcome.kind,
                mode=self.mode,
                episode_id=wanted.episode.id,
                plan=outcome.to_json(),
                summary=outcome.summary,
                health=wanted.valuation.health or 0,
                spend=wanted.run.rate.up(outcome.spend_base),
                gain=wanted.run.rate.down(outcome.gain_base),
                block=head.number,
                timestamp=head.timestamp,
            ),
        )

    def _status(self, session: Session, run: MarketRun, at: Valued) -> None:
        state = run.book.state
        breaches = sum(bool(self.policies.crossed(run.name, v)) for v in at.valuations) + at.others_below
        if at.newly_stopped:
            outbox.market_stopped(session, run.name, at.head.number, at.newly_stopped)
        session.merge(
            MarketStatus(
                market=run.name,
                chain=self.pool.name,
                block=at.head.number,
                block_hash=at.head.hash,
                block_timestamp=at.head.timestamp,
                revision=run.adapter.revision(state),
                version=run.adapter.version(state) or "",
                acting=at.acting,
                reason=run.stopped,
                accounts=at.accounts,
                breaches=breaches,
                unvaluable=len(at.unvaluable),
                updated_at=now(),
            )
        )

    def _chain_status(self, session: Session, head: Head) -> None:
        row = session.get(ChainStatus, self.pool.name) or ChainStatus(chain=self.pool.name, mode=self.mode)
        row.mode, row.block, row.block_timestamp = self.mode, head.number, head.timestamp
        row.reachable, row.reason = True, self.held
        row.requests, row.updated_at = self.pool.requests, now()
        session.add(row)

    def _market_failed(self, run: MarketRun, head: Head, error: Exception) -> None:
        log.exception("market failed", market=run.name, block=head.number)
        with self.store.session() as session:
            outbox.market_failed(session, run.name, head.number, str(error) or repr(error))

    def unreachable(self, error: Exception) -> None:
        """Tell, once an outage, that the chain does not answer."""
        log.error("chain unreachable", chain=self.pool.name, error=str(error))
        with self.store.session() as session:
            row = session.get(ChainStatus, self.pool.name) or ChainStatus(
                chain=self.pool.name, mode=self.mode
            )
            if row.reachable:
                row.updated_at = now()
            row.reachable, row.reason = False, str(error)
            session.add(row)
            outbox.chain_unreachable(session, self.pool.name, row.updated_at.isoformat(), str(error))
