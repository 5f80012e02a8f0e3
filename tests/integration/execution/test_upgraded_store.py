"""A store of the version before, with a full journal: every row is kept under the new names, and the keeper
carries on from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from keeper.alerts import execution_alerts, keeper_alerts, notices
from keeper.alerts.deliver import Deliverer
from keeper.config import AlertChannel
from keeper.execution import journal
from keeper.model.plan import Plan
from keeper.store.database import open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent, LedgerEntry, TransactionIntent
from keeper.store.tables.states import Unsent
from tests.integration.execution.conftest import CRASH, OTHER, THIRD, Fresh, Ready
from tests.support import old_store
from tests.support.inbox import Inbox
from tests.support.liquidations import liquidations
from tests.support.old_journal import journal_of_old
from tests.support.world import World, world

pytestmark = pytest.mark.integration

ONE_AT_ONCE = "[execution]\nmax_in_flight = 1\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def old(url: str) -> Iterator[Engine]:
    engine = old_store.create(url, "0002")
    yield engine
    engine.dispose()


def in_new_words(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What the upgrade must make of the rows: every value kept but for the words that were renamed."""
    found = old_store.by_new_names(rows)
    for row in found["intent"]:
        row["unsent"] = "watch only" if row["unsent"] == "watched only" else row["unsent"]
        plan = row["plan"].replace('"first_gas": 17', '"cold_gas": 17')
        row["plan"] = plan.replace('"leg": {', '"batch_item": {')
    kinds = {
        "misnamed": ("unknown_name", "misnamed:", "unknown_name:"),
        "market_notice": ("market_warning", "notice:", "market_warning:"),
        "market_notice_over": ("market_warning_over", "notice:", "market_warning:"),
        "stands_back": ("standby", ":stands_back:", ":standby:"),
        "not_booked": ("not_posted", ":not_booked:", ":not_posted:"),
    }
    for row in found["alert"]:
        if row["kind"] in kinds:
            kind, before, after = kinds[row["kind"]]
            body = row["body"].replace(f"kind: {row['kind']}\n", f"kind: {kind}\n")
            row |= {
                "kind": kind,
                "dedup_key": row["dedup_key"].replace(before, after),
                "body": body.replace("notice: ", "warning: "),
                "fields": row["fields"].replace('"notice"', '"warning"'),
            }
    return found


def test_every_row_is_kept_under_the_new_names(url: str, old: Engine) -> None:
    old_store.insert(old, journal_of_old())
    before = old_store.rows_of(old)
    assert all(before.values()), "every table has rows"
    store = open_store(url)
    assert old_store.rows_of(store.engine) == in_new_words(before)
    with store.session() as session:
        states = [row.state for row in journal.open_intents(session, "elsewhere", "live")]
        assert states == ["planned", "rehearsed"]
        assert [t.nonce for t in journal.transactions_of(session, 102)] == [2]
        refused = session.exec(select(Intent).where(Intent.unsent == Unsent.WATCH_ONLY)).one()
        plan = Plan.from_json(refused.plan)
        assert plan.batch_item is not None and plan.batch_item.cold_gas == 17
        assert plan.summary == {"of": '"first_gas": 1'}, "words in a text are no keys"
        assert session.exec(select(LedgerEntry)).one().net == -10
    store.close()


def test_what_was_told_is_not_told_again_and_what_was_not_is(url: str, old: Engine, tmp_path: Path) -> None:
    old_store.insert(old, journal_of_old())
    store = open_store(url)
    with store.session() as session:
        execution_alerts.standing_by(session, "elsewhere", "another acts")
        keeper_alerts.not_posted(session, "elsewhere", "0xcc", "no price")
        assert notices.open_notices(session, "elsewhere") == {"last_trove"}
        assert len(session.exec(select(Alert)).all()) == 8
    with Inbox() as inbox:
        deliver = Deliverer(store, [AlertChannel(url=inbox.url)], tmp_path / "alerts.jsonl")
        deliver.run()
        deliver.run()
        told = [each["title"] for each in inbox.messages]
    assert sorted(told) == [f"title {n}" for n in (100, 101, 102, 103, 104, 105, 107)]
    assert "kind: standby\n" in next(m["message"] for m in inbox.messages if m["title"] == "title 104")
    written = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [each["kind"] for each in written][:2] == ["unknown_name", "market_warning"]
    store.close()


def test_the_keeper_carries_on_from_it(url: str, old: Engine, fresh: Fresh, ready: Ready) -> None:
    """One liquidation is signed, sent and in no block, another planned: both come to their one right end."""
    first: World = ready(ONE_AT_ONCE, accounts=(OTHER, THIRD))
    first.step(CRASH)
    first.actor.release()
    assert sorted(i.state for i in first.intents()) == ["planned", "rehearsed"]
    left = old_store.by_old_names(old_store.rows_of(first.store.engine))
    first.store.close()
    old_store.insert(old, left)

    w = world(*fresh, first.folder, ONE_AT_ONCE, store=url)
    assert sorted(i.state for i in w.intents()) == ["planned", "rehearsed"]
    in_flight = {t.hash for t in w.transactions() if t.state == "sent"}
    assert in_flight
    for _ in range(6):
        w.step()
    assert [i.state for i in w.intents()] == ["settled", "settled"]
    assert {t.hash for t in w.transactions() if t.state == "final"} > in_flight
    assert liquidations(w.anvil, w.market) == {OTHER.lower(): 1, THIRD.lower(): 1}
    with w.store.session() as session:
        carried = session.exec(select(TransactionIntent)).all()
        assert len({each.intent_id for each in carried}) == 2
    w.store.close()
