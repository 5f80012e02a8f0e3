"""The store keeps 256-bit integers, migrates to exactly the tables, and refuses a second open intent."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

import keeper.store.tables  # noqa: F401  (registers the tables)
from keeper.errors import ConfigError, UnreachableError
from keeper.execution import journal
from keeper.execution.journal import Mode
from keeper.store.database import Store, open_store
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState, Unsent
from keeper.store.tables.watching import Episode
from tests.support.plans import written_plan
from tests.unit.chain.test_block_time import head

pytestmark = pytest.mark.integration

LARGE = 2**256 - 1


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return open_store(f"sqlite:///{tmp_path / 'k.db'}")
    return open_store(request.getfixturevalue("postgresql"))


def episode(store: Store) -> int:
    with store.session() as session:
        row = Episode(
            market="m", account="a", threshold="liquidate", opened_block=1, opened_health=1, lowest_health=1
        )
        session.add(row)
        session.flush()
        assert row.id is not None
        return row.id


def commit(session: Session, episode_id: int, mode: Mode = "live", spend: int = 1, loss: int = 0) -> Intent:
    plan = written_plan("m", "a", loss=loss)
    return journal.commit(session, "c", head(5, 1000), plan, episode_id, mode, health=LARGE, spend=spend)


def test_a_new_store_has_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_integers_of_256_bits_come_back_whole(store: Store) -> None:
    number = episode(store)
    with store.session() as session:
        commit(session, number)
    with store.session() as session:
        row = session.get(Intent, 1)
        assert row is not None and row.health == LARGE


def test_a_second_open_intent_for_the_same_account_is_refused_by_the_store(store: Store) -> None:
    number = episode(store)
    with store.session() as session:
        commit(session, number)
    with pytest.raises(IntegrityError), store.session() as session:
        commit(session, number)


def test_a_dry_intent_does_not_stand_in_the_way_of_a_live_one(store: Store) -> None:
    number = episode(store)
    with store.session() as session:
        commit(session, number, "dry")
        commit(session, number, "live")
        assert journal.has_open(session, "c", "m", "a", "liquidate", "live")


def test_attempts_count_up_and_failures_in_a_row_are_known(store: Store) -> None:
    number = episode(store)
    for state in (IntentState.SETTLED, IntentState.REFUSED, IntentState.FAILED):
        with store.session() as session:
            intent = commit(session, number)
            if state != IntentState.REFUSED:
                journal.move_intent(session, intent, IntentState.REHEARSED, 5)
            journal.move_intent(session, intent, state, 6)
    with store.session() as session:
        made = journal.attempts(session, number, "liquidate", "live")
    assert (made.open, made.count, made.failures_in_a_row, made.last_block) == (False, 3, 2, 6)


def test_only_what_was_or_may_be_spent_counts_against_the_cap(store: Store) -> None:
    number = episode(store)
    for state, spend in ((IntentState.SETTLED, 5), (IntentState.REFUSED, 70), (None, 11)):
        with store.session() as session:
            intent = commit(session, number, spend=spend)
            if state == IntentState.SETTLED:
                journal.move_intent(session, intent, IntentState.REHEARSED, 5)
            if state:
                journal.move_intent(session, intent, state, 6)
    with store.session() as session:
        assert journal.spent_since(session, "m", "a", "live", 999) == 16
        assert journal.spent_since(session, "m", "a", "live", 1000) == 0
        assert journal.spent_since(session, "m", "a", "dry", 0) == 0


def test_attempts_that_never_left_are_no_failures_and_losses_of_a_day_are_added_up(store: Store) -> None:
    number = episode(store)
    ends = (
        (IntentState.FAILED, None),
        (IntentState.EXPIRED, Unsent.NO_ANSWER),
        (IntentState.EXPIRED, Unsent.GAS_PRICE),
        (IntentState.REFUSED, Unsent.LIMIT),
    )
    for block, (state, unsent) in enumerate(ends, start=6):
        with store.session() as session:
            intent = commit(session, number, loss=7)
            if unsent is None:
                journal.move_intent(session, intent, IntentState.REHEARSED, 5)
            journal.move_intent(session, intent, state, block, unsent=unsent)
    with store.session() as session:
        made = journal.attempts(session, number, "liquidate", "live")
        # Only what left, or may leave, has lost something.
        assert journal.lost_since(session, "live", 999) == 7
        assert journal.lost_since(session, "live", 1000) == journal.lost_since(session, "dry", 0) == 0
    assert (made.count, made.failures_in_a_row, made.last_block) == (4, 1, 6)
    assert made.retry_at == 1000 + journal.LIMIT_WAIT


def test_a_store_of_a_newer_keeper_is_not_touched(store: Store) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer keeper"):
        open_store(url)


def test_a_store_that_cannot_be_opened_is_said() -> None:
    with pytest.raises(UnreachableError, match=r"cannot be (opened|used)"):
        open_store("sqlite:////nowhere/at/all/k.db")
    with pytest.raises(ConfigError, match="not a database URL"):
        open_store("keeper.db")
