"""Notices that a chain's loop no longer decides, whatever holds it up.

It shares no thread, lock or connection with the loops: it reads when each last decided, a number, and writes
an alert. Where the store cannot be written, it alerts without it. `tell` takes kind, severity, title and
reason.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from keeper.alerts import keeper_alerts
from keeper.store.database import Store
from keeper.store.types import now

log = structlog.get_logger()

# A chain is silent after so many block times without a decided block, and not before so many seconds.
SILENT_BLOCKS = 10
LEAST_SECONDS = 60.0
_LOOKS_EACH = 1.0


@dataclass(slots=True)
class Pulse:
    """When a loop last decided a block (monotonic seconds), and seconds between its blocks, where known."""

    decided_at: float
    block_seconds: float = 0.0


class Watchdog:
    """Checks the pulses of all chains each second, from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        pulses: Mapping[str, Callable[[], Pulse]],
        tell: Callable[[str, str, str, str], None],
        least: float = LEAST_SECONDS,
        looks_each: float = _LOOKS_EACH,
    ) -> None:
        # Its own connections: the loops may hold all of theirs.
        self._store = Store(create_engine(store.engine.url, poolclass=NullPool))
        self._tell = tell
        self._pulses = pulses
        self._least = least
        self._looks_each = looks_each
        self._silent: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. A check that waits for the store is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._looks_each):
            for chain, pulse in self._pulses.items():
                try:
                    self.look(chain, pulse(), time.monotonic())
                except Exception as error:  # noqa: BLE001  (a watchdog that ends is none)
                    log.critical("watchdog failed", chain=chain, error=repr(error))

    def look(self, chain: str, pulse: Pulse, moment: float) -> None:
        """Judge one chain's pulse at a moment (monotonic seconds)."""
        silence = moment - pulse.decided_at
        if silence <= max(SILENT_BLOCKS * pulse.block_seconds, self._least):
            if chain in self._silent:
                self._silent.discard(chain)
                log.info("decides again", chain=chain)
            return
        if chain in self._silent:
            return
        self._silent.add(chain)
        log.critical("silent", chain=chain, seconds=round(silence))
        try:
            with self._store.session() as session:
                keeper_alerts.silent(session, chain, now().isoformat(), round(silence))
        except SQLAlchemyError as error:
            why = f"no block was decided for {round(silence)} s, and the store takes no alert"
            log.critical("silence is in no store", chain=chain, error=type(error).__name__)
            self._tell("silent", "critical", f"chain {chain}: {why}", why)
