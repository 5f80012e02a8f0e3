"""The steps of one chain's deciding loop, in the order in which `tick` takes them, and what it remembers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import structlog
from sqlalchemy.exc import IntegrityError

from keeper.alerts import keeper_alerts
from keeper.book.reads import Reader
from keeper.chain.block_time import BlockTime, clock_complaint
from keeper.chain.blocks import Head
from keeper.chain.calls import Call
from keeper.chain.head import PreludeCall
from keeper.chain.heads import Heads
from keeper.config import known_chain
from keeper.service.chain_context import ChainContext
from keeper.service.market_troubles import MarketTroubles
from keeper.service.markets import Market
from keeper.service.outage import Outage
from keeper.service.planning.block_planning import BlockPlanning
from keeper.service.planning.breach import Breach, MarketBreaches
from keeper.service.planning.chores import ChoreDesk
from keeper.service.planning.retry_policy import RetryPolicy
from keeper.service.planning.sales import StoreFront
from keeper.service.planning.upkeep import UpkeepDesk
from keeper.service.reporting import status
from keeper.service.reporting.block_report import BlockReport, Decided, TickResult
from keeper.service.reporting.log_throttle import LogThrottle
from keeper.service.reporting.market_alerts import MarketAlerts
from keeper.service.reporting.record import Recorder
from keeper.service.watchdog import Pulse
from keeper.service.watching import breaches, price_status
from keeper.service.watching.confirmation import confirm as confirm_with_views
from keeper.service.watching.market_valuation import MarketRequest, MarketValuation
from keeper.service.watching.memory import BLANK, MarketMemory
from keeper.service.watching.price_prelude import behind, prelude_of
from keeper.service.watching.unknown_names import UnknownNames
from keeper.service.watching.value import value_together

log = structlog.get_logger()


@dataclass
class ChainLoop(ChainContext):
    """State of one chain's deciding loop: the last head, the estimated block time, the open episodes."""

    recorder: Recorder | None = None
    head: Head | None = None
    blocks_seen: int = 0
    on_head: Callable[[], None] | None = None
    """Called from another thread when a subscription announces a new block; None: heads are polled for."""
    halt_reason: str = ""
    """Why nothing is planned or sent on this chain now: block time and clock differ, or the sequencer is
    down."""
    open: dict[str, breaches.OpenEpisodes] | None = None
    """The open episodes by market; None: to be read from the store."""

    def __post_init__(self) -> None:
        chain = self.settings.chain
        row = known_chain(chain.chain_id)
        self._block_time = BlockTime(chain.block_time, row.block_time if row else None)
        self.reader = Reader(self.pool, self.settings.chain.parallel_requests)
        self.heads = Heads(self.pool, self.settings.chain, self.on_head)
        self.retries = RetryPolicy(self)
        self._store_front = StoreFront(self, self.retries)
        self._upkeep = UpkeepDesk(self, self.retries)
        self._chores = ChoreDesk(self, self.retries)
        self._market_alerts = MarketAlerts(self.store)
        self._throttle = LogThrottle()
        self.troubles = MarketTroubles(self.store, self._throttle)
        self.outage = Outage(self, self._throttle)
        self._unknown_names = UnknownNames(self)
        self._block_report = BlockReport(self, self.recorder)
        self.planning = BlockPlanning(self, self.troubles)
        self._acting: dict[str, bool] = {}
        self._decided_at = time.monotonic()
        self.last_valued: dict[str, MarketValuation] = {}
        for market in self.markets:
            if market.prices is not None:
                price_status.restore(self.store, market.prices)

    @property
    def seconds_a_block(self) -> Decimal | None:
        """Seconds per block, as configured or learnt; None before the first block."""
        return self._block_time.seconds

    def pulse(self) -> Pulse:
        """When this loop last decided; read without a lock, from any thread."""
        return Pulse(self._decided_at, float(self.seconds_a_block or 0))

    def next_head(self) -> Head | None:
        """The newest block; None when this loop has worked at it already, or no block is due."""
        return self.heads.newest(self.seconds_a_block)

    def has_newer_head(self) -> bool:
        """Whether a subscription has announced a newer block; no request is made."""
        return self.heads.told(self.seconds_a_block)

    def begin(self, head: Head) -> None:
        """Begin a new block: forget what was asked for the last one."""
        self.pool.worked_at = head
        self._block_time.learn(self.pool, head)
        self.planning.begin()

    def end(self, head: Head) -> None:
        """End a block, once everything that matters of it is written."""
        self.troubles.forget_others(head)
        self.head = head
        self.outage.end(head)
        self.heads.done(head)
        self.blocks_seen += 1
        self._decided_at = time.monotonic()

    def report(self, done: TickResult) -> None:
        """Write what only reports, after acting; plan what is not urgent."""
        self._block_report.finish(done, self.halt_reason, self.troubles.contained)
        for market, _ in done.valued:
            with self.troubles.contained(market, done.head):
                self._unknown_names.alert(market, done.head)

    def save_books(self) -> None:
        """Save the books, from which a restart continues."""
        for market in self.markets:
            market.book.save()

    def bring_prices(self, head: Head) -> Head:
        """The block behind the signed prices that its markets ask for; everything at it is read behind
        them."""
        found: list[PreludeCall] = []
        for market in self.markets:
            with self.troubles.contained(market, head):
                found += prelude_of(market, head)
        return behind(head, found)

    def value(self, head: Head) -> list[tuple[Market, MarketValuation]]:
        """Value all markets of the chain, read together; one that fails is reported and left out."""
        known = self._open_episodes()
        asked = [self._request(market, head, known[market.name]) for market in self.markets]
        found = value_together(self.reader, head, asked, self.next_timestamp(head))
        valued: list[tuple[Market, MarketValuation]] = []
        for market, one in zip(self.markets, found, strict=True):
            if isinstance(one, Exception):
                self.troubles.report(market, head, one)
                self._upkeep.forget(market.name)
                continue
            self.last_valued[market.name] = one
            self._upkeep.look(market, one)
            valued.append((market, one))
            with self.troubles.contained(market, head):
                self._market_alerts.raise_for(market, one)
        return valued

    def _open_episodes(self) -> dict[str, breaches.OpenEpisodes]:
        """The open episodes, as remembered or else read from the store."""
        if self.open is None:
            self.open = breaches.open_episodes(self.store, [market.name for market in self.markets])
        return self.open

    def _request(self, market: Market, head: Head, open_now: breaches.OpenEpisodes) -> MarketRequest:
        """The request for one market: what planning is certain to need is read with the book, at no extra
        request."""
        extra: list[Call] = []
        with self.troubles.contained(market, head):
            if self.payer is not None and market.book.head is not None:
                extra = market.adapter.planner.planning_calls(market.book.state, [], self.payer)
        everything = self.recorder is not None
        return MarketRequest(
            market,
            self.memory_of(market),
            breaches.watch(market, self.policies, open_now, everything=everything),
            self.policies.protected(market.name),
            extra,
        )

    def memory_of(self, market: Market) -> MarketMemory:
        """What the last block at which the market could be valued left."""
        last = self.last_valued.get(market.name)
        return last.memory if last is not None else BLANK

    def check_halt(self, head: Head) -> None:
        """Halt the chain while block time and clock differ or the sequencer is down; alert when a halt
        begins."""
        before = self.halt_reason
        outages = (market.prices.sequencer.complaint for market in self.markets if market.prices is not None)
        off = clock_complaint(self.settings.chain, head, time.time())
        self.halt_reason = off or next(filter(None, outages), "")
        if self.halt_reason and not before:
            log.error("held", chain=self.name, why=self.halt_reason)
            with self.store.session() as session:
                kind = "clock_off" if off else "sequencer_down"
                keeper_alerts.held(session, self.name, head.number, kind, self.halt_reason)

    def next_timestamp(self, head: Head) -> int:
        """The expected Unix time of the next block: a plan's amounts are exact at that second."""
        return head.timestamp + max(int(self.seconds_a_block or 1), 1)

    def judge(self, valued: list[tuple[Market, MarketValuation]]) -> list[MarketBreaches]:
        """Keep the episodes, and ask for an action where a threshold that asks for one is crossed."""
        found = []
        for market, one in valued:
            with self.troubles.contained(market, one.head):
                found.append(MarketBreaches(market, one, *self._judged(market, one)))
        return found

    def _judged(self, market: Market, valued: MarketValuation) -> tuple[list[Breach], list[Breach]]:
        """The breaches that ask for an action, and those of them that may be attempted now."""
        try:
            try:
                return self._judge(market, valued)
            except (IntegrityError, breaches.StaleEpisodesError):
                # Another keeper writes to the same store: what is remembered of it is out of date.
                self.open = None
                return self._judge(market, valued)
        except BaseException:
            # What was not committed must not be remembered.
            self.open = None
            raise

    def _judge(self, market: Market, valued: MarketValuation) -> tuple[list[Breach], list[Breach]]:
        known = self._open_episodes()[market.name]
        with self.store.session() as session:
            wanted = breaches.judge(session, market, valued, self.policies, known)
            due = [] if self.halt_reason else self.retries.ready(session, wanted, valued.head)
            if due:
                self.planning.ask_funds(valued.head)
        return wanted, due

    def confirm(self, head: Head, breaches: list[MarketBreaches]) -> list[MarketBreaches]:
        """Compare everyone who is about to be acted on with the contract's own view: it must be equal to
        ours.

        Where a record was stale, the market is judged once more by what was read again."""
        confirmed = []
        for each in breaches:
            market, valued = each.market, each.valued
            accounts = [w.valuation.account for w in each.due]
            if not accounts or not valued.acting:
                confirmed.append(each)
                continue
            with self.troubles.contained(market, head):
                found = confirm_with_views(market, head, valued, accounts)
                self.last_valued[market.name] = found.valued
                if found.silent:
                    self._market_alerts.stale(market, head, found.silent)
                if found.difference:
                    each = replace(each, valued=found.valued, due=[])
                elif found.judged_anew:
                    each = MarketBreaches(market, found.valued, *self._judged(market, found.valued))
                confirmed.append(each)
        return confirmed

    def with_work(self, head: Head, breaches: list[MarketBreaches]) -> list[MarketBreaches]:
        """Add to what is due the markets' own work: sales of what they absorbed, rewarded upkeep, unpaid
        chores."""
        if self.payer is None or self.halt_reason:
            return breaches
        found = []
        for each in breaches:
            work: list[Breach] = []
            with self.troubles.contained(each.market, head):
                work = self._store_front.due(each.market, each.valued)
                work += self._upkeep.due(each.market, each.valued)
                work += self._chores.due(each.market, each.valued)
            found.append(replace(each, due=[*each.due, *work]))
        return found

    def plan_all(self, head: Head, breaches: list[MarketBreaches]) -> Decided:
        """Decide what to do about all that is due; a market that cannot be planned for is left out."""
        return self.planning.plan_all(head, self.next_timestamp(head), breaches)

    def commit(self, head: Head, breaches: list[MarketBreaches], decisions: Decided) -> None:
        """Commit intents, refusal reasons and changed watch-only flags before the acting loop runs."""
        acting = self._acting
        valued = [(each.market, each.valued) for each in breaches]
        changed = [(r, one) for r, one in valued if one.is_news or acting.get(r.name) != one.acting]
        if not decisions and not changed:
            return
        with self.store.session() as session:
            for wanted, decision in decisions:
                self.retries.commit_intent(session, head, wanted, decision)
        for market, one in changed:
            with self.troubles.contained(market, head), self.store.session() as session:
                status.write_market(session, self.name, market, one, self.policies)
        self._acting.update({market.name: one.acting for market, one in valued})

    def unreachable(self, error: Exception) -> None:
        """Report that the chain does not answer."""
        self.outage.report(error, float(self.seconds_a_block or 0))
