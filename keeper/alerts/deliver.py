"""Delivering the outbox: console, JSON-lines file, and any channel that Apprise knows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from keeper.alerts.channels import Channel, channel
from keeper.config import AlertChannel
from keeper.store.database import Store
from keeper.store.tables.alerts import Alert, AlertDelivery
from keeper.store.types import now

log = structlog.get_logger()

# A channel that fails is tried again after 1, 2, 4 … seconds, at most this many.
LONGEST_WAIT = 60.0
# So long is an alert kept for a channel that does not take it; a critical one for ever.
PATIENCE = timedelta(days=2)
# One that comes later than this says when it was raised.
LATE = timedelta(minutes=1)


@dataclass(slots=True)
class _Line:
    """A channel and its condition. `wait` is the seconds between its tries; 0 while it works."""

    channel: Channel
    wait: float = 0.0
    next_try: float = 0.0
    failure: str = ""


class Deliverer:
    """Delivers the outbox: each alert once to console and file, and to each channel until it took it.

    What a channel took is recorded for that channel alone, so that no other's failure repeats it. A channel
    that fails is left alone for a while, longer each time; then the least tried alert comes first, so that
    one which is never taken holds up no other. `local_only` marks each line of console and file as something
    that never left this machine and is not about the real chain (a fork's).
    """

    def __init__(
        self,
        store: Store,
        channels: Sequence[AlertChannel],
        file: Path | None,
        *,
        local_only: bool = False,
        today: Callable[[], datetime] = now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.file = file
        self._mark: dict[str, bool] = {"local_only": True} if local_only else {}
        self._lines = [_Line(channel(i, each)) for i, each in enumerate(channels)]
        self._today, self._clock = today, clock

    def run(self) -> int:
        """Deliver what waits and may be tried now; returns how many messages channels took."""
        with self.store.session() as session:
            fresh = session.exec(
                select(Alert).where(col(Alert.posted_at).is_(None)).order_by(col(Alert.id))
            ).all()
        for alert in fresh:
            self._post(alert)
        return sum(self._serve(line) for line in self._lines if self._clock() >= line.next_try)

    def tell_without_store(self, kind: str, severity: str, title: str, why: str) -> None:
        """Send an alert everywhere now, by no way through the store: for failures of the store. Nothing is
        raised."""
        alert = Alert(
            dedup_key=kind,
            kind=kind,
            severity=severity,
            market="",
            title=title,
            body=f"kind: {kind}\nseverity: {severity}\nwhy: {why}",
            fields=json.dumps({"why": why}),
        )
        self._console(alert)
        try:
            self._file(alert)
        except OSError as error:
            log.error("alert not written", file=str(self.file), error=str(error))
        for line in self._lines:
            if line.channel.wants(severity) and (failure := line.channel.send(title, alert.body, severity)):
                log.error("alert not delivered", channel=line.channel.name, why=failure, title=title)

    def _post(self, alert: Alert) -> None:
        """Post an alert to console and file, and queue a delivery for every channel that wants it."""
        self._console(alert)
        self._file(alert)
        with self.store.session() as session:
            session.merge(alert).posted_at = self._today()
            for line in self._lines:
                if line.channel.wants(alert.severity):
                    row = AlertDelivery(
                        alert_id=alert.id or 0, channel=line.channel.name, since=self._today()
                    )
                    session.merge(row)

    def _serve(self, line: _Line) -> int:
        """Deliver what waits for a channel, until it does not take one; returns how many it took."""
        with self.store.session() as session:
            waiting = _waiting(session, line.channel.name)
        for taken, (delivery, alert) in enumerate(waiting):
            failure = line.channel.send(alert.title, self._body(alert), alert.severity)
            with self.store.session() as session:
                row = session.merge(delivery)
                row.tries += 1
                row.failure = failure
                row.delivered_at = None if failure else self._today()
            if failure:
                self._failed(line, alert, failure)
                return taken
            self._worked(line)
        return len(waiting)

    def _body(self, alert: Alert) -> str:
        late = self._today() - alert.created_at > LATE
        return f"{alert.body}\nraised: {alert.created_at:%Y-%m-%d %H:%M:%S} UTC" if late else alert.body

    def _failed(self, line: _Line, alert: Alert, failure: str) -> None:
        """Wait longer before the next try; log when failing begins and when the reason changes."""
        line.wait = min(2 * line.wait or 1.0, LONGEST_WAIT)
        line.next_try = self._clock() + line.wait
        if failure != line.failure:
            log.warning("alert not delivered", channel=line.channel.name, why=failure, alert=alert.id)
        line.failure = failure
        self._give_up(line.channel.name)

    def _worked(self, line: _Line) -> None:
        if line.failure:
            log.info("alerts are delivered again", channel=line.channel.name)
        line.wait, line.next_try, line.failure = 0.0, 0.0, ""

    def _give_up(self, name: str) -> None:
        """Give up what a failing channel has not taken for too long, unless it is critical."""
        with self.store.session() as session:
            lost = [
                (delivery, alert)
                for delivery, alert in _waiting(session, name)
                if alert.severity != "critical" and self._today() - delivery.since > PATIENCE
            ]
            for delivery, _ in lost:
                delivery.given_up_at = self._today()
        for delivery, alert in lost:
            log.error("alert given up", channel=name, alert=alert.id, title=alert.title, why=delivery.failure)

    def _console(self, alert: Alert) -> None:
        say = {"info": log.info, "warning": log.warning, "critical": log.error}[alert.severity]
        why = json.loads(alert.fields).get("why", "")
        # Many titles end with the reason already.
        reason = {"why": why} if why and why not in alert.title else {}
        say("alert", kind=alert.kind, title=alert.title, market=alert.market, **reason, **self._mark)

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


def _waiting(session: Session, name: str) -> Sequence[tuple[AlertDelivery, Alert]]:
    """What waits for a channel: the least tried first, then the oldest."""
    return session.exec(
        select(AlertDelivery, Alert)
        .join(Alert, col(Alert.id) == col(AlertDelivery.alert_id))
        .where(
            AlertDelivery.channel == name,
            col(AlertDelivery.delivered_at).is_(None),
            col(AlertDelivery.given_up_at).is_(None),
        )
        .order_by(col(AlertDelivery.tries), col(AlertDelivery.alert_id))
    ).all()
