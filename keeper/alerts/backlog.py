"""The backlog: alerts that channels have not taken, as `keeper status` shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from keeper.store.tables.alerts import AlertDelivery


@dataclass(frozen=True, slots=True)
class Backlog:
    """One channel's backlog: alerts that wait, the time since which the oldest waits, alerts given up, and
    the last reason."""

    channel: str
    waiting: int
    oldest: datetime | None
    given_up: int
    failure: str


def backlog(session: Session) -> list[Backlog]:
    """The backlog of every channel that has one."""
    rows = session.exec(
        select(AlertDelivery)
        .where(col(AlertDelivery.delivered_at).is_(None))
        .order_by(col(AlertDelivery.channel), col(AlertDelivery.alert_id))
    ).all()
    names = dict.fromkeys(row.channel for row in rows)
    return [_of(name, [row for row in rows if row.channel == name]) for name in names]


def _of(channel: str, rows: list[AlertDelivery]) -> Backlog:
    waiting = [row for row in rows if row.given_up_at is None]
    return Backlog(
        channel,
        len(waiting),
        min((row.since for row in waiting), default=None),
        len(rows) - len(waiting),
        next((row.failure for row in reversed(rows) if row.failure), ""),
    )
