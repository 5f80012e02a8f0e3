"""A store of an older keeper, with rows in it, is brought to the newest version: nothing is lost, on either
database, and what chains tell has 64 bits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import BigInteger, Engine, Integer, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from keeper.store.database import Store, open_store, with_driver
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.watching import ChainStatus, Episode
from tests.support import old_store

pytestmark = pytest.mark.integration

WIDE = 2**40
# Counted by the keeper itself, or by the database: no chain tells them.
NARROW = {"id", "attempt", "step", "tries", "accounts", "breaches", "unvaluable", "decimals"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'k.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def old(url: str) -> Iterator[Engine]:
    """Tables as the first version made them, each with rows that hang on each other."""
    engine = old_store.create(url, "0001")
    tables = old_store.reflected(engine)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            for number in (1, 2):
                connection.execute(table.insert(), {c.name: _value(c, number) for c in table.columns})
    yield engine
    engine.dispose()


def _value(column: Any, number: int) -> Any:
    """Something of the column's kind, another in each row; keys of other tables are met."""
    if column.name == "state":
        return "planned" if number == 1 else "settled"
    if column.name == "once" or (column.primary_key and not isinstance(column.type, Integer)):
        return f"k{number}"
    kind = column.type.python_type
    if column.name in ("closed_block", "replaces_id"):
        return None
    values = {
        int: number,
        bool: True,
        datetime: datetime(2025, 1, number, tzinfo=UTC),
        bytes: b"\x01",
        str: str(number),
    }
    return values[kind]


def test_every_row_survives_and_the_tables_are_those_of_the_code(url: str, old: Engine) -> None:
    before = old_store.rows_of(old)
    assert len(before) > 15 and all(len(rows) == 2 for rows in before.values())
    store = open_store(url)
    after = old_store.rows_of(store.engine)
    for table, rows in old_store.by_new_names(before).items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    with store.session() as session:
        intent = session.get_one(Intent, 1)
        assert (intent.unsent, intent.loss) == ("", 0)
        assert session.get_one(Transaction, 1).data_fee is None
        assert session.get_one(Episode, 1).looked_at is None
    store.close()


def test_no_word_of_old_is_left_in_the_schema(url: str, old: Engine) -> None:
    store = open_store(url)
    asked = {
        "sqlite": "SELECT name || coalesce(sql, '') FROM sqlite_master",
        "postgresql": "SELECT conname FROM pg_constraint UNION SELECT indexname FROM pg_indexes "
        "UNION SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'",
    }
    with store.engine.connect() as connection:
        names = "\n".join(connection.execute(text(asked[store.engine.dialect.name])).scalars())
    store.close()
    assert "dedup_key" in names
    of_old = "booking|carriage|once|held|opens_at|stands_back|acting|second(?!_price)|a_nonce"
    assert re.findall(f"(?<![a-z])(?:{of_old})(?![a-z])", names) == []


def test_gas_beyond_31_bits_is_kept(url: str, old: Engine) -> None:
    store = open_store(url)
    with store.session() as session:
        row = session.get_one(Transaction, 1)
        row.gas_limit, row.gas_used, row.nonce, row.block = WIDE, WIDE + 1, WIDE + 2, WIDE + 3
        status = session.get_one(ChainStatus, "k1")
        status.gas_hours, status.block = WIDE + 4, WIDE + 5
        session.add_all([row, status])
    with store.session() as session:
        row = session.get_one(Transaction, 1)
        assert (row.gas_limit, row.gas_used, row.nonce, row.block) == (WIDE, WIDE + 1, WIDE + 2, WIDE + 3)
        status = session.get_one(ChainStatus, "k1")
        assert (status.gas_hours, status.block) == (WIDE + 4, WIDE + 5)
    store.close()


def test_keys_and_indices_still_hold(url: str, old: Engine) -> None:
    store = open_store(url)
    for statement in (
        "UPDATE intent SET state = 'rehearsed', chain = '1', market = '1', account = '1', kind = '1', "
        "mode = '1'",
        "INSERT INTO transaction_intent (intent_id, transaction_id, step) VALUES (99, 98, 1)",
        "UPDATE chain_transaction SET hash = 'same', chain = 'same'",
    ):
        with pytest.raises(IntegrityError), store.engine.begin() as connection:
            connection.execute(text(statement))
    store.close()


def test_a_migration_that_fails_half_way_changes_nothing(
    url: str, old: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, tables = old_store.rows_of(old), sorted(inspect(old).get_table_names())
    real = command.upgrade

    def broken(config: Config, revision: str) -> None:
        real(config, revision)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(KeyboardInterrupt):
        open_store(url)
    monkeypatch.undo()
    fresh = create_engine(with_driver(url))
    assert old_store.rows_of(fresh) == before and sorted(inspect(fresh).get_table_names()) == tables
    fresh.dispose()
    store: Store = open_store(url)
    assert {len(rows) for rows in old_store.rows_of(store.engine).values()} == {2}
    store.close()


def test_whatever_a_chain_tells_has_64_bits_in_every_table() -> None:
    narrow = {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Integer)
        and not isinstance(column.type, BigInteger)
        and column.name not in NARROW
        and not column.foreign_keys
    }
    assert narrow == set()
