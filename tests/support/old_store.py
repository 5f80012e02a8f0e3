"""A store as the version before the glossary's names left it: tables at revision 0002, rows by its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, create_engine, text

from keeper.store.database import MIGRATIONS, with_driver

Row = Mapping[str, Any]
Rows = Mapping[str, Iterable[Row]]

# Old names to new ones: tables, and their columns by the table's old name.
TABLES = {"booking": "ledger_entry", "carriage": "transaction_intent"}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "alert": {"once": "dedup_key"},
    "chain_status": {"stands_back": "standby_reason"},
    "episode": {"held": "blocked_reason", "opens_at": "retry_at"},
    "market_status": {"acting": "may_act", "reason": "watch_only_reason"},
    "price_status": {"second": "second_price"},
}


def create(url: str, revision: str) -> Engine:
    """An empty store at this revision."""
    engine = create_engine(with_driver(url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def insert(engine: Engine, rows: Rows) -> None:
    """Write rows by table; numbers that the database gives go on after them."""
    tables = reflected(engine)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            for row in rows.get(table.name, ()):
                connection.execute(table.insert(), row)
            if engine.dialect.name == "postgresql" and "id" in table.columns:
                number = f"pg_get_serial_sequence('{table.name}', 'id')"
                connection.execute(text(f"SELECT setval({number}, max(id)) FROM {table.name}"))


def rows_of(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, by its table's name."""
    with engine.connect() as connection:
        return {
            table.name: [
                dict(row._mapping)
                for row in connection.execute(table.select().order_by(*table.primary_key.columns))
            ]
            for table in reflected(engine).sorted_tables
        }


def by_new_names(rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of an old store under the names of today."""
    return {
        TABLES.get(table, table): [
            {COLUMNS.get(table, {}).get(name, name): value for name, value in row.items()} for row in found
        ]
        for table, found in rows.items()
    }


def by_old_names(rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of a store of today under the names of old."""
    tables = {new: old for old, new in TABLES.items()}
    found = {tables.get(table, table): each for table, each in rows.items()}
    return {
        table: [
            {{new: old for old, new in COLUMNS.get(table, {}).items()}.get(n, n): v for n, v in row.items()}
            for row in each
        ]
        for table, each in found.items()
    }


def reflected(engine: Engine) -> MetaData:
    tables = MetaData()
    tables.reflect(engine)
    if "alembic_version" in tables.tables:
        tables.remove(tables.tables["alembic_version"])
    return tables
