"""Notices that the store cannot be reached, and alerts without it: alerts that wait in the store reach
nobody.

It shares no thread, lock or connection with the loops, which may all be waiting for the store.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from keeper.store.database import with_driver

log = structlog.get_logger()

# So long may the store be busy before somebody is told.
PATIENCE = 10.0
LOOKS_EACH = 1.0
LATELY = 5.0
"""Seconds for which a job's failure counts as a fault of the store: most jobs try each second."""
_WAIT = 1

Tell = Callable[[str, str], None]
"""The alert that is sent: title and reason; by no way that leads through the store."""


class StoreFaults:
    """What jobs recently failed to write: a job's fault counts until the job works again, and no longer than
    `LATELY`, as some jobs run only once per hour."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, SQLAlchemyError]] = {}

    def failed(self, job: str, error: SQLAlchemyError, moment: float) -> None:
        """Note that a job failed at the store."""
        self._last[job] = (moment, error)

    def worked(self, job: str) -> None:
        """Forget a job's fault: the job has worked."""
        self._last.pop(job, None)

    def lately(self, moment: float) -> list[SQLAlchemyError]:
        """The faults that still count as faults of the store."""
        return [error for when, error in tuple(self._last.values()) if moment - when <= LATELY]


class StoreWatch:
    """Checks each second, from `start` to `stop`, whether the store could be written; writes nothing itself.
    A job's recent failure (`faults`) counts as a failed check, whatever the check itself answers."""

    def __init__(self, url: str, tell: Tell, faults: StoreFaults, patience: float = PATIENCE) -> None:
        self._engine = _engine(url)
        self._tell, self._faults, self._patience = tell, faults, patience
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="store-ask")
        self._asked: Future[str] | None = None
        self._answered = time.monotonic()
        self._out = False
        self._why = "it does not answer"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)

    def start(self) -> None:
        self._answered = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. A check that hangs is not waited for."""
        self._stopping.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.wait(LOOKS_EACH):
            try:
                self.look(time.monotonic())
            except Exception as error:  # noqa: BLE001  (a watch that ends is none)
                # The worker may have been ended between two looks.
                if not self._stopping.is_set():
                    log.critical("store watch failed", error=repr(error))

    def look(self, moment: float) -> None:
        """Start a check, or read the result of the last; alert when an outage has lasted, and when it is
        over."""
        if self._asked is None:
            self._asked = self._worker.submit(self._ask)
        if self._asked.done():
            problem, self._asked = self._asked.result(), None
            if problem or self._faults.lately(moment):
                self._why = problem or "what jobs write is refused"
            else:
                self._answered = moment
        gone = moment - self._answered
        if not self._out and gone > self._patience:
            self._out = True
            log.critical("store unreachable", seconds=round(gone), why=self._why)
            self._tell("the store cannot be reached: nothing is planned or sent", self._why)
        elif self._out and gone == 0:
            self._out = False
            log.info("store answers again")
            self._tell("the store answers again: what was under way is carried on", "")

    def _ask(self) -> str:
        """Why nothing could be written now; empty while something could."""
        try:
            with self._engine.connect() as connection:
                if self._engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    connection.exec_driver_sql("ROLLBACK")
                else:
                    connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return next(iter(str(getattr(error, "orig", None) or error).splitlines()), type(error).__name__)
        return ""


def _engine(url: str) -> Engine:
    """An engine with its own connections, which wait for a second at most where the driver can say so."""
    local = url.startswith("sqlite")
    wait = {"timeout": _WAIT} if local else {"connect_timeout": max(_WAIT, 2)}
    return create_engine(with_driver(url), poolclass=NullPool, connect_args=wait)
