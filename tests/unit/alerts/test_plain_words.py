"""Whatever a stranger's contract says, an alert can be kept by any store and shown on any screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from keeper.alerts import market_alerts
from keeper.alerts.outbox import MOST_LETTERS
from keeper.store.database import open_store
from keeper.store.tables.alerts import Alert

pytestmark = pytest.mark.unit


def test_words_of_strangers_are_cleaned_and_cut(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        market_alerts.failed(session, "m", 7, "reverts: US\0D\x1b[2J\u202e!" + "x" * 10**6, "KeeperError")
    with store.session() as session:
        [alert] = session.exec(select(Alert)).all()
    assert "reverts: USD[2J!" in alert.title and len(alert.title) <= MOST_LETTERS + 1
    for text in (alert.title, alert.body, alert.fields):
        assert all(each.isprintable() or each == "\n" for each in text)
    store.close()
