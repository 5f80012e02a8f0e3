"""The daemon of a demo as a process of its own, and waiting for its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from keeper.chain.signer import PASSWORD_VARIABLE
from keeper.errors import KeeperError
from keeper.localchain.anvil import Anvil
from keeper.model.money import WAD
from keeper.store.database import Store, open_store
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import OPEN_INTENTS
from keeper.store.tables.watching import ChainStatus

PATIENCE = 60.0
PASSWORD = "only for the demo"  # noqa: S105  (a throw-away key on a local chain)

Process = subprocess.Popen[bytes]
# The daemon's files in a demo's folder.
CONFIG, KEYSTORE, RECORD, ALERTS = "keeper.toml", "keystore.json", "record.jsonl", "alerts.jsonl"


@dataclass(frozen=True)
class Ground:
    """The ground of every demo: its chain, a folder with the daemon's files, and the daemon's address."""

    anvil: Anvil
    folder: Path
    keeper: str
    first_block: int

    @property
    def record(self) -> Path:
        return self.folder / RECORD

    @property
    def alerts(self) -> Path:
        return self.folder / ALERTS


@dataclass(frozen=True)
class RunningDaemon:
    """The running daemon, its store, and the intents whose end was reported."""

    folder: Path
    process: Process
    store: Store
    told: set[int] = field(default_factory=set)

    def wait_for(self, block: int, markets: int = 1) -> None:
        """Wait until both loops have worked at this block and `markets` markets are recorded at it."""

        def worked() -> bool:
            with self.store.session() as session:
                row = session.get(ChainStatus, "local")
                acted = row is not None and row.acted_block == block
            return acted and _recorded(self.folder / RECORD, block) >= markets

        _wait(self.folder, self.process, worked)

    def newly_ended(self) -> list[Intent]:
        """Intents that have ended and were not reported yet; they then count as reported."""
        with self.store.session() as session:
            rows = session.exec(select(Intent).where(col(Intent.ended_block).is_not(None))).all()
        ended = [row for row in rows if row.id not in self.told]
        self.told.update(row.id for row in ended if row.id is not None)
        return ended

    def is_unfinished(self, accounts: Iterable[Mapping[str, Any]], moving: Iterable[str] = ()) -> bool:
        """Whether anything is under way, or an account is left that the keeper would liquidate. `accounts` as
        they are recorded; `moving`: the states of transactions that are under way."""
        with self.store.session() as session:
            planned = session.exec(select(Intent.id).where(col(Intent.state).in_(OPEN_INTENTS))).first()
            sent = session.exec(select(Transaction.id).where(col(Transaction.state).in_(moving))).first()
        broken = (
            a["health"] is not None and int(a["health"]) < WAD and int(a["collateral"]) for a in accounts
        )
        return planned is not None or sent is not None or any(broken)


@contextmanager
def daemon(folder: Path) -> Iterator[RunningDaemon]:
    """Run `keeper run --live` as a process of its own, which has worked at its first block; it is ended as an
    operator would end it."""
    options = ["--live", "--config", str(folder / CONFIG)]
    command = [sys.executable, "-m", "keeper.cli.main", "run", *options]
    environment = {**os.environ, PASSWORD_VARIABLE: PASSWORD}
    with (folder / "keeper.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603
        try:
            _wait(folder, process, lambda: (folder / RECORD).exists())
            with closing(_store(folder)) as store:
                yield RunningDaemon(folder, process, store)
            process.send_signal(signal.SIGINT)
            if process.wait(PATIENCE) != 0:
                raise KeeperError(
                    f"the daemon ended with exit code {process.returncode}", where=_tail(folder)
                )
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextmanager
def journal_of(folder: Path) -> Iterator[Session]:
    """A session of the daemon's store, once the daemon has ended."""
    with closing(_store(folder)) as store, store.session() as session:
        yield session


def _store(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'keeper.db'}")


def _recorded(record: Path, block: int) -> int:
    """The number of whole lines of this block at the end of the record."""
    lines = record.read_bytes().split(b"\n")[:-1]
    found = 0
    for line in reversed(lines):
        if json.loads(line)["block"]["number"] != block:
            break
        found += 1
    return found


def _wait(folder: Path, process: Process, done: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not done():
        if process.poll() is not None:
            raise KeeperError("the daemon ended by itself", where=_tail(folder))
        if time.monotonic() > limit:
            raise KeeperError("the daemon does not get on", where=_tail(folder))
        time.sleep(0.01)


def _tail(folder: Path) -> str:
    log = folder / "keeper.log"
    return f"{log}: …{log.read_text(errors='replace')[-1500:]}"
