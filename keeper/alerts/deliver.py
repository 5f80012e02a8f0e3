"""Delivering the outbox: console, JSON-lines file, and any channel that Apprise knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from apprise import Apprise, NotifyType
from sqlmodel import col, select

from keeper.alerts.outbox import SEVERITIES
from keeper.config import AlertChannel
from keeper.errors import ConfigError
from keeper.store.database import Store
from keeper.store.tables import Alert
from keeper.store.types import now

log = structlog.get_logger()

MAX_TRIES = 20
_TYPES = {"info": NotifyType.INFO, "warning": NotifyType.WARNING, "critical": NotifyType.FAILURE}


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    least: int
    apprise: Apprise


class Deliverer:
    """Sends what the outbox holds, each alert until every channel took it or MAX_TRIES is reached.

    The console and the file get an alert once, at its first delivery. `local_only` marks each there as
    something that never left this machine and is not about the real chain (a fork's).
    """

    def __init__(
        self, store: Store, channels: Sequence[AlertChannel], file: Path | None, *, local_only: bool = False
    ) -> None:
        self.store = store
        self.file = file
        self._mark: dict[str, bool] = {"local_only": True} if local_only else {}
        self.channels = [_channel(i, each) for i, each in enumerate(channels)]

    def run(self) -> int:
        """Deliver what waits; how many alerts were delivered."""
        with self.store.session() as session:
            waiting = session.exec(
                select(Alert)
                .where(col(Alert.delivered_at).is_(None), Alert.tries < MAX_TRIES)
                .order_by(col(Alert.id))
            ).all()
        return sum(self._one(alert) for alert in waiting)

    def _one(self, alert: Alert) -> bool:
        if alert.tries == 0:
            self._console(alert)
            self._file(alert)
        level = SEVERITIES.index(alert.severity)
        failed = [
            channel.name
            for channel in self.channels
            if level >= channel.least
            and not channel.apprise.notify(
                body=alert.body, title=alert.title, notify_type=_TYPES[alert.severity]
            )
        ]
        with self.store.session() as session:
            row = session.merge(alert)
            row.tries += 1
            row.failure = f"not taken by {', '.join(failed)}" if failed else ""
            row.delivered_at = None if failed else now()
        if failed:
            log.warning("alert not delivered", alert=alert.id, channels=failed, tries=alert.tries + 1)
        return not failed

    def _console(self, alert: Alert) -> None:
        say = {"info": log.info, "warning": log.warning, "critical": log.error}[alert.severity]
        say("alert", kind=alert.kind, title=alert.title, market=alert.market, **self._mark)

    def _file(self, alert: Alert) -> None:
        if self.file is None:
            return
        line = {
            "at": alert.created_at.isoformat(),
            "kind": alert.kind,
            "severity": alert.severity,
            "market": alert.market,
            "account": alert.account,
            "title": alert.title,
            **json.loads(alert.fields),
            **self._mark,
        }
        with self.file.open("a") as out:
            out.write(json.dumps(line) + "\n")


def _channel(index: int, settings: AlertChannel) -> _Channel:
    apprise = Apprise()
    if not apprise.add(settings.url):
        raise ConfigError(
            "is not an address that Apprise knows",
            where=f"alerts[{index}].url",
            remedy="See Apprise's list of services; json://host:port/path posts JSON",
        )
    return _Channel(f"alerts[{index}]", SEVERITIES.index(settings.min_severity), apprise)


def try_channels(channels: Sequence[AlertChannel]) -> list[tuple[str, bool]]:
    """Send one message to each channel; its name and whether it was taken."""
    return [
        (
            channel.name,
            bool(
                channel.apprise.notify(
                    body="kind: test\nThis is keeper's test message.",
                    title="keeper: test",
                    notify_type=NotifyType.INFO,
                )
            ),
        )
        for channel in (_channel(i, each) for i, each in enumerate(channels))
    ]
