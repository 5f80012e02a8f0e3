"""The daemon of a demo, as a process of its own, and waiting for what it does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from keeper.chain.signer import PASSWORD_VARIABLE
from keeper.errors import KeeperError
from keeper.model.money import WAD
from keeper.store.database import Store, open_store
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import OPEN_INTENTS
from keeper.store.tables.watching import ChainStatus

PATIENCE = 60.0
PASSWORD = "only for the demo"  # noqa: S105  (a throw-away key on a local chain)

Process = subprocess.Popen[bytes]


@contextmanager
def daemon(folder: Path, config: Path) -> Iterator[Process]:
    """`keeper run --live` as a process of its own; ended as an operator would end it."""
    command = [sys.executable, "-m", "keeper.cli.main", "run", "--live", "--config", str(config)]
    environment = {**os.environ, PASSWORD_VARIABLE: PASSWORD}
    with (folder / "keeper.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603
        try:
            yield process
            process.send_signal(signal.SIGINT)
            if process.wait(PATIENCE) != 0:
                raise KeeperError(
                    f"the daemon ended with exit code {process.returncode}", where=_tail(folder)
                )
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def store_of(folder: Path, process: Process) -> Store:
    """The daemon's store, opened once the daemon has worked at its first block."""
    _wait(folder, process, lambda: (folder / "record.jsonl").exists())
    return open_store(f"sqlite:///{folder / 'keeper.db'}")


@contextmanager
def journal_of(folder: Path) -> Iterator[Session]:
    """The daemon's store, once it has ended."""
    store = open_store(f"sqlite:///{folder / 'keeper.db'}")
    with store.session() as session:
        yield session
    store.close()


def wait_for(folder: Path, process: Process, store: Store, block: int, markets: int = 1) -> None:
    """Until both loops have worked at this block, and so many markets are recorded at it."""

    def worked() -> bool:
        with store.session() as session:
            row = session.get(ChainStatus, "local")
            acted = row is not None and row.acted_block == block
        return acted and _recorded(folder / "record.jsonl", block) >= markets

    _wait(folder, process, worked)


def ended_since(store: Store, told: set[int]) -> list[Intent]:
    """Intents that have ended and are not yet among those `told`, which they then are."""
    with store.session() as session:
        rows = session.exec(select(Intent).where(col(Intent.ended_block).is_not(None))).all()
    ended = [row for row in rows if row.id not in told]
    told.update(row.id for row in ended if row.id is not None)
    return ended


def is_unfinished(store: Store, accounts: Iterable[Mapping[str, Any]], moving: Iterable[str] = ()) -> bool:
    """Whether anything is under way, or anyone whom the keeper would liquidate is left. `accounts` as they
    are recorded; `moving`: the states of transactions that are under way."""
    with store.session() as session:
        planned = session.exec(select(Intent.id).where(col(Intent.state).in_(OPEN_INTENTS))).first()
        sent = session.exec(select(Transaction.id).where(col(Transaction.state).in_(moving))).first()
    broken = (a["health"] is not None and int(a["health"]) < WAD and int(a["collateral"]) for a in accounts)
    return planned is not None or sent is not None or any(broken)


def _recorded(record: Path, block: int) -> int:
    """How many whole lines of this block the record ends with."""
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
