"""Alerts reach every channel that takes them, once, however long another does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from structlog.testing import capture_logs
from typer.testing import CliRunner

from keeper.alerts.backlog import backlog
from keeper.alerts.deliver import Deliverer
from keeper.alerts.outbox import Severity, alert
from keeper.cli.main import app
from keeper.config import AlertChannel
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import AlertDelivery
from tests.support.inbox import Inbox

pytestmark = pytest.mark.integration


@dataclass
class Time:
    """Passes when the test says."""

    gone: float = 0.0
    start: datetime = field(default_factory=lambda: datetime.now(UTC))

    def clock(self) -> float:
        return self.gone

    def today(self) -> datetime:
        return self.start + timedelta(seconds=self.gone)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = open_store(f"sqlite:///{tmp_path}/keeper.db")
    yield kept
    kept.close()


def raised(store: Store, once: str, severity: Severity = "warning") -> None:
    with store.session() as session:
        alert(session, dedup_key=once, kind="k", severity=severity, market="m", title=once)


def deliverer(store: Store, time: Time, *inboxes: Inbox) -> Deliverer:
    channels = [AlertChannel(url=each.url) for each in inboxes]
    return Deliverer(store, channels, None, clock=time.clock, today=time.today)


def every_second(deliver: Deliverer, time: Time, seconds: int) -> None:
    for _ in range(seconds):
        time.gone += 1
        deliver.run()


def titles(inbox: Inbox) -> list[str]:
    return [message["title"] for message in inbox.messages]


def test_a_dead_channel_makes_no_other_repeat_an_alert(store: Store) -> None:
    time = Time()
    with Inbox(status=500) as dead, Inbox() as well:
        deliver = deliverer(store, time, dead, well)
        raised(store, "one")
        every_second(deliver, time, 30)
        raised(store, "two")
        every_second(deliver, time, 30)
        assert titles(well) == ["one", "two"]
        dead.status = 200
        every_second(deliver, time, 61)
        assert titles(dead) == ["one", "two"] or titles(dead) == ["two", "one"]
        assert titles(well) == ["one", "two"]
        with store.session() as session:
            assert backlog(session) == []


def test_an_outage_of_a_day_loses_no_alert_and_tries_seldom(store: Store) -> None:
    time = Time()
    with Inbox(status=500) as inbox:
        deliver = deliverer(store, time, inbox)
        raised(store, "one")
        every_second(deliver, time, 600)
        with store.session() as session:
            [row] = session.exec(select(AlertDelivery)).all()
        assert 5 <= row.tries <= 20, "waits grow to a minute"
        time.gone += 24 * 3600
        deliver.run()
        inbox.status = 200
        every_second(deliver, time, 61)
        assert titles(inbox) == ["one"]
        assert "raised: " in inbox.messages[0]["message"], "one that comes late says of when it is"


def test_a_critical_alert_is_never_given_up_and_another_is_with_a_word(store: Store) -> None:
    time = Time()
    with Inbox(status=500) as inbox:
        deliver = deliverer(store, time, inbox)
        raised(store, "grave", "critical")
        raised(store, "light")
        deliver.run()
        time.gone += 3 * 24 * 3600
        with capture_logs() as logs:
            deliver.run()
        [given_up] = [each for each in logs if each["event"] == "alert given up"]
        assert given_up["title"] == "light" and given_up["channel"] == "alerts[0]"
        with store.session() as session:
            [of] = backlog(session)
        assert (of.waiting, of.given_up) == (1, 1) and "500" in of.failure
        inbox.status = 200
        every_second(deliver, time, 61)
        assert titles(inbox) == ["grave"]


def test_a_failing_channel_is_logged_when_it_begins_when_it_changes_and_when_it_is_over(store: Store) -> None:
    time = Time()
    with Inbox(status=500) as inbox, capture_logs() as logs:
        deliver = deliverer(store, time, inbox)
        for number in range(5):
            raised(store, f"alert {number}")
        every_second(deliver, time, 300)
        inbox.status = 403
        every_second(deliver, time, 300)
        inbox.status = 200
        every_second(deliver, time, 61)
        said = [each["event"] for each in logs if each["event"] != "alert"]
        assert said == ["alert not delivered", "alert not delivered", "alerts are delivered again"]


def test_an_alert_that_a_channel_refuses_holds_up_no_other(store: Store) -> None:
    time = Time()
    with Inbox(status=500) as inbox:
        deliver = deliverer(store, time, inbox)
        raised(store, "first")
        deliver.run()
        inbox.status = 200
        raised(store, "second")
        every_second(deliver, time, 5)
        assert titles(inbox) == ["second", "first"], "the least tried goes first"


def test_a_restart_remembers_which_channel_took_what(store: Store) -> None:
    time = Time()
    with Inbox(status=500) as dead, Inbox() as well:
        raised(store, "one")
        deliverer(store, time, dead, well).run()
        dead.status = 200
        deliverer(store, time, dead, well).run()
        assert titles(dead) == titles(well) == ["one"]


def test_alerts_test_and_status_say_why_a_channel_takes_nothing(tmp_path: Path) -> None:
    with Inbox(status=403) as inbox:
        config = tmp_path / "keeper.toml"
        config.write_text(
            f'[chains.local]\nchain_id = 31337\nrpc = ["http://127.0.0.1:1"]\n'
            f'[markets.m]\nprotocol = "aave-v3"\nchain = "local"\naddress = "0x{"99" * 20}"\n'
            f'[store]\nurl = "sqlite:///keeper.db"\n[[alerts]]\nurl = "{inbox.url}"\n'
        )
        done = CliRunner().invoke(app, ["alerts", "test", "--config", str(config), "--json"])
        assert done.exit_code == 3
        [told] = json.loads(done.stdout)
        assert told["channel"] == "alerts[0]" and not told["ok"] and "403" in told["why"]
        kept = open_store(f"sqlite:///{tmp_path}/keeper.db")
        raised(kept, "one")
        deliverer(kept, Time(), inbox).run()
        kept.close()
        shown = CliRunner().invoke(app, ["status", "--config", str(config)]).output
        assert "alerts[0]" in shown and "403" in shown
        told = json.loads(CliRunner().invoke(app, ["status", "--config", str(config), "--json"]).stdout)
        assert told["alerts"][0]["waiting"] == 1
