"""The lease: of all keepers with the same key and store, one may sign. The others watch, and take over.

The row is the truth: every transaction that signs first renews it, and fails when somebody else holds it.
That write also makes writers wait for each other. On PostgreSQL an accompanying advisory lock ends with its
holder's connection, so that a standby need not wait for the lease to run out.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, bindparam, update
from sqlalchemy import text as sql
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col

from keeper.errors import KeeperError
from keeper.store.database import Store
from keeper.store.tables.journal import Lease as Row
from keeper.store.types import now

SECONDS = 15.0
_RENEW = (
    update(Row)
    .where(col(Row.name) == bindparam("lease"), col(Row.token) == bindparam("ours"))
    .values(holder=bindparam("who"), renewed_at=bindparam("since"), expires_at=bindparam("until"))
)
_TRY_LOCK, _UNLOCK = sql("SELECT pg_try_advisory_lock(:key)"), sql("SELECT pg_advisory_unlock(:key)")


class LostLeaseError(KeeperError):
    """Another keeper holds the lease: nothing may be signed."""


def this_process() -> str:
    """Identify this process: machine, process space, process id and start time; equal only for the same
    process."""
    machine = [socket.gethostname()]
    with suppress(OSError):
        machine.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
    with suppress(OSError):
        machine.append(Path("/proc/self/ns/pid").readlink().name)
    return f"{'/'.join(machine)} process {os.getpid()} {_began(os.getpid())}"


@dataclass
class KeyLease:
    """A lease of one key on one chain. `token` is this holder's secret name; `holder` is shown to others."""

    store: Store
    name: str
    seconds: float = SECONDS
    holder: str = field(default_factory=this_process)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    _lock: Connection | None = None
    _renewed: float = -1e9

    def holds(self) -> str:
        """As `take`, but asks the store only now and then: signing always asks."""
        if time.monotonic() - self._renewed < self.seconds / 3:
            return ""
        return self.take()

    def take(self) -> str:
        """Take or renew the lease; empty when it is ours, otherwise a description of who has it."""
        self._renewed = -1e9
        other = self._take()
        if not other:
            self._renewed = time.monotonic()
        return other

    def _take(self) -> str:
        locked = self._advisory()
        with self.store.session() as session:
            if self.renew(session):
                return ""
            row, moment = session.get(Row, self.name), now()
            ours: dict[str, Any] = {"holder": self.holder, "token": self.token, "renewed_at": moment}
            ours["expires_at"] = moment + timedelta(seconds=self.seconds)
            if row is None:
                session.add(Row(name=self.name, **ours))
                session.flush()
                return ""
            if locked is False:
                return self._words(row)
            gone = (
                row.expires_at < moment or locked is True or _ended(row.holder) or row.holder == self.holder
            )
            if not gone:
                return self._words(row)
            taken = session.connection().execute(
                update(Row).where(col(Row.name) == self.name, col(Row.token) == row.token).values(**ours)
            )
            return "" if taken.rowcount == 1 else "another keeper took the lease just now"

    def renew(self, session: Session) -> bool:
        """Renew in the caller's transaction, from which point nobody else can sign concurrently."""
        moment = now()
        renewed = session.connection().execute(
            _RENEW,
            {
                "lease": self.name,
                "ours": self.token,
                "who": self.holder,
                "since": moment,
                "until": moment + timedelta(seconds=self.seconds),
            },
        )
        return renewed.rowcount == 1

    def must_hold(self, session: Session) -> None:
        """Raise LostLeaseError unless the lease is ours."""
        if not self.renew(session):
            self._renewed = -1e9
            raise LostLeaseError("another keeper acts with this key", where=self.name)

    def release(self) -> None:
        """Let a standby take over at once."""
        self._renewed = -1e9
        with suppress(SQLAlchemyError), self.store.session() as session:
            row = session.get(Row, self.name)
            if row is not None and row.token == self.token:
                session.delete(row)
        if self._lock is not None:
            # Closing alone would give the connection back to its pool with the lock still on it.
            with suppress(SQLAlchemyError):
                self._lock.execute(_UNLOCK, {"key": self._key})
            with suppress(SQLAlchemyError):
                self._lock.close()
            self._lock = None

    @property
    def _key(self) -> int:
        return crc32(self.name.encode())

    def _words(self, row: Row) -> str:
        until = f"{row.expires_at:%H:%M:%S} UTC"
        return f"another keeper acts with this key ({row.holder}), until {until} unless it renews"

    def _advisory(self) -> bool | None:
        """Whether PostgreSQL's advisory lock is ours; None where the database has none."""
        if self.store.engine.dialect.name != "postgresql":
            return None
        if self._lock is not None:
            try:
                self._lock.execute(sql("SELECT 1"))
                return True
            except SQLAlchemyError:
                self._lock.invalidate()
                self._lock = None
        connection = self.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(_TRY_LOCK, {"key": self._key}).scalar():
            self._lock = connection
            return True
        connection.close()
        return False


def _ended(holder: str) -> bool:
    """Whether the holder was a process of this machine that no longer runs."""
    machine, _, process = holder.partition(" process ")
    ours = this_process().partition(" process ")[0]
    number, _, began = process.partition(" ")
    if machine != ours or not number.isdigit() or not Path("/proc/self").exists():
        return False
    return _began(int(number)) != began


def _began(process: int) -> str:
    """A process's start, in clock ticks since boot; empty when there is no such process."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
