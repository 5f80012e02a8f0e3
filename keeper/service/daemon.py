"""The daemon: one deciding and one acting job per chain, alerts and housekeeping, under APScheduler."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from keeper.alerts import keeper_alerts
from keeper.alerts.deliver import Deliverer
from keeper.chain.signer import Signing
from keeper.config import Settings
from keeper.errors import ConfigError, KeeperError, UnreachableError
from keeper.execution.journal import Mode
from keeper.execution.lease import LostLeaseError
from keeper.service.backrun.pending_updates import PendingUpdates
from keeper.service.backrun.update_watch import UpdateWatch
from keeper.service.chain_loop import ChainLoop
from keeper.service.config_watch import ConfigWatch
from keeper.service.execution import actor_of
from keeper.service.markets import build, policies_of, pools
from keeper.service.reporting.gas_watch import GasWatch
from keeper.service.reporting.ledger import Ledger
from keeper.service.reporting.log_throttle import LogThrottle
from keeper.service.reporting.record import Recorder
from keeper.service.store_watch import StoreFaults, StoreWatch
from keeper.service.tick import ChainLoops, advance, tick
from keeper.service.watchdog import Watchdog
from keeper.store.database import Store

log = structlog.get_logger()

CONFIG_SECONDS = 2.0
# How often the books are tried at the end: a node may be busy just then.
LAST_TRIES = 5


class Threads(ThreadPoolExecutor):  # type: ignore[misc]  # APScheduler has no types
    """The scheduler's threads, joinable without the scheduler's locks: a job that asks the scheduler for
    something during shutdown would otherwise wait for the thread that waits for the job."""

    def join(self) -> None:
        self._pool.shutdown(wait=True)


class Daemon:
    """The keeper's daemon: runs until stopped, or until every chain has worked through `for_blocks`
    blocks."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        payer: str | None,
        signer: Signing | None,
        config: Path | None = None,
    ) -> None:
        self.settings = settings
        self.config = ConfigWatch.of(config) if config else None
        self.store = store
        self.mode: Mode = "live" if signer else "dry"
        # Reentrant, unlike an Event: a signal handler may put while this very thread waits.
        self._wish: SimpleQueue[None] = SimpleQueue()
        self._for_blocks: int | None = None
        self._fatal: ConfigError | None = None
        policies = policies_of(settings)
        recorder = Recorder(settings.service.record) if settings.service.record else None
        nodes = pools(settings)
        markets = build(settings, nodes, store)
        self.chains = {
            name: ChainLoops(
                ChainLoop(
                    pool=pool,
                    store=store,
                    settings=settings.of_chain(name),
                    policies=policies,
                    markets=[market for market in markets if market.settings.chain == name],
                    mode=self.mode,
                    payer=payer,
                    recorder=recorder,
                    on_head=partial(self._at_once, f"decide:{name}"),
                ),
                actor_of(settings, pool, store, payer, signer) if payer else None,
            )
            for name, pool in nodes.items()
        }
        for name, loops in self.chains.items():
            wanted = settings.chains[name].relay
            if signer is not None and wanted is not None and wanted.mempool_ws is not None:
                later = partial(self._once, f"update:{name}")
                loops.watch = UpdateWatch(nodes[name], wanted, PendingUpdates(loops.deciding), loops, later)
        self._ledgers = {name: Ledger(loops.deciding) for name, loops in self.chains.items()}
        self.deliverer = Deliverer(store, settings.alerts, settings.service.alerts_file)
        self.payer = payer
        # Everything a job may wait for has a limit of its own, so that stopping is never long.
        self._throttle = LogThrottle()
        self._gas_watch = GasWatch(store, payer, self._throttle)
        self._store_faults = StoreFaults()
        self._store_watch = StoreWatch(settings.store.url, self._tell_of_store, self._store_faults)
        self._watchdog = Watchdog(
            store,
            {name: loops.deciding.pulse for name, loops in self.chains.items()},
            self.deliverer.tell_without_store,
        )
        self._threads = Threads(4 * len(nodes) + 3)
        self.scheduler = BackgroundScheduler(
            executors={"default": self._threads},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self, for_blocks: int | None = None) -> None:
        """Start all jobs and wait; on return every job has ended and nothing is half done."""
        self._for_blocks = for_blocks
        for name, loops in self.chains.items():
            poll = float(self.settings.chains[name].poll)
            self._every(poll, f"decide:{name}", partial(self._decide, name))
            self._every(max(poll, 1.0), f"act:{name}", partial(self._act, name))
            self._every(60.0, f"balances:{name}", partial(self._gas_watch.look, loops.deciding))
            self._every(max(poll, 1.0), f"books:{name}", self._ledgers[name].book)
        self._every(1.0, "alerts", self.deliverer.run)
        self._every(CONFIG_SECONDS, "config", self._config)
        self._every(3600.0, "housekeeping", self.store.compact)
        for key, instead in self.settings.old_keys:
            log.warning("old key", key=key, instead=instead)
        log.info("start", mode=self.mode, payer=self.payer, chains=list(self.chains))
        self.scheduler.start()
        self._watchdog.start()
        self._store_watch.start()
        for loops in self.chains.values():
            loops.deciding.heads.start()
            if loops.watch is not None:
                loops.watch.start()
        try:
            self._wish.get()
        finally:
            stopping = time.monotonic()
            self._close()
        if self._fatal is not None:
            raise self._fatal
        for fault in self._store_faults.lately(stopping):
            # What the last round of a job could not write: whoever started this must know.
            raise fault

    def _close(self) -> None:
        """End every part even when another fails; above all release the leases, for which other keepers
        wait."""
        with ExitStack() as last:
            last.callback(log.info, "stopped")
            for loops in self.chains.values():
                if loops.actor is not None:
                    last.callback(loops.actor.release)
            last.callback(self.deliverer.run)
            last.callback(self._close_books)
            for loops in self.chains.values():
                last.callback(loops.deciding.save_books)
            last.callback(self._threads.join)
            last.callback(self.scheduler.shutdown, wait=False)
            last.callback(self._watchdog.stop)
            last.callback(self._store_watch.stop)
            for loops in self.chains.values():
                last.callback(loops.deciding.heads.stop)
                if loops.watch is not None:
                    last.callback(loops.watch.stop)

    def _tell_of_store(self, title: str, why: str) -> None:
        kind, severity = ("store_unreachable", "critical") if why else ("store_answers", "info")
        self.deliverer.tell_without_store(kind, severity, title, why)

    def _close_books(self) -> None:
        """Book what the last blocks brought; what cannot be read now is booked at the next start."""
        for name, ledger in self._ledgers.items():
            for _ in range(LAST_TRIES):
                problem = ""
                try:
                    if not ledger.book():
                        break
                except (KeeperError, SQLAlchemyError) as error:
                    problem = str(error)
            if problem:
                log.warning("books are not complete", chain=name, error=problem)

    def stop(self) -> None:
        """Ask the daemon to end; safe from any thread and from a signal handler."""
        self._wish.put(None)

    def _at_once(self, job: str) -> None:
        """Run the job now, not at its time: a subscription announced a block, or the first block was
        decided."""
        try:
            self.scheduler.modify_job(job, next_run_time=datetime.now())
        except JobLookupError:
            return

    def _every(self, seconds: float, name: str, work: Callable[[], object]) -> None:
        guarded = self._guarded(name, work)
        self.scheduler.add_job(guarded, "interval", seconds=seconds, id=name, next_run_time=datetime.now())

    def _once(self, name: str, work: Callable[[], object]) -> None:
        """Run a piece of work once, now, on a thread of the scheduler."""
        self.scheduler.add_job(self._guarded(name, work))

    def _guarded(self, name: str, work: Callable[[], object]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                work()
                self._store_faults.worked(name)
                self._throttle.clear(name)
            except SQLAlchemyError as error:
                self._store_faults.failed(name, error, time.monotonic())
                why = str(getattr(error, "orig", error))
                if self._throttle.should_log(name, why):
                    log.error("store failed", job=name, error=why)
            except LostLeaseError as error:
                log.warning("stands back", job=name, why=str(error))
            except UnreachableError as error:
                # Of a chain the deciding loop tells; the other jobs only wait.
                if not self._is_unreachable(name) and self._throttle.should_log(name, str(error)):
                    log.warning("unreachable", job=name, error=str(error))
            except Exception as error:  # noqa: BLE001  (a job that fails once runs again)
                self._failed(name, error)

        return guarded

    def _is_unreachable(self, job: str) -> bool:
        """Whether this job's chain is known not to answer."""
        loops = self.chains.get(job.partition(":")[2])
        return loops is not None and loops.deciding.outage.is_on

    def _failed(self, name: str, error: Exception) -> None:
        """Report a job's failure: of an error that the keeper raised on purpose its text, of any other the
        trace."""
        why = str(error) or repr(error)
        if self._throttle.should_log(name, why):
            trace = None if isinstance(error, KeeperError) else error
            log.error("job failed", job=name, error=why, exc_info=trace)
        with suppress(SQLAlchemyError), self.store.session() as session:
            keeper_alerts.job_failed(session, name, why)

    def _decide(self, name: str) -> None:
        """Work through blocks until no newer head has been announced."""
        deciding = self.chains[name].deciding
        while True:
            before = deciding.head
            self._decide_once(name)
            if deciding.head is before or not deciding.has_newer_head():
                return

    def _decide_once(self, name: str) -> None:
        loops = self.chains[name]
        if self._done(loops):
            return
        head = None
        try:
            head = loops.deciding.next_head()
            if head is None:
                return
            tick(loops, head)
        except (UnreachableError, ConfigError) as error:
            if head is not None and loops.deciding.head is head:
                # Decided: what went wrong is the acting loop's.
                raise
            if isinstance(error, UnreachableError):
                loops.deciding.unreachable(error)
                return
            # A wrong chain or address does not get better by itself: say so and end.
            self._fatal = error
            self.stop()
            return
        self._advanced(loops)

    def _act(self, name: str) -> None:
        """Run the acting loop in a job of its own, where its run after deciding failed."""
        loops = self.chains[name]
        if advance(loops):
            self._advanced(loops)

    def _advanced(self, loops: ChainLoops) -> None:
        if loops.deciding.blocks_seen == 1:
            self._at_once(f"balances:{loops.deciding.pool.name}")
        if self._for_blocks is not None and all(self._done(each) for each in self.chains.values()):
            self.stop()
        if loops.watch is not None:
            loops.watch.again()

    def _done(self, loops: ChainLoops) -> bool:
        """Whether this chain has seen its blocks and acted at the last of them."""
        deciding = loops.deciding
        if self._for_blocks is None or deciding.head is None:
            return False
        return deciding.blocks_seen >= self._for_blocks and loops.acted == deciding.head

    def _config(self) -> None:
        """Alert when the configuration is no longer the one this daemon runs with."""
        found = self.config.look() if self.config else None
        if self.config is None or found is None:
            return
        digest, words = found
        log.warning("configuration", file=self.config.path.name, what=words)
        with self.store.session() as session:
            keeper_alerts.config_changed(session, self.config.path.name, digest, words)
