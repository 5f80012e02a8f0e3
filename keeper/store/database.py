"""Opening the store: engine, pragmas, migrations to the newest version, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlmodel import Session

from keeper.errors import ConfigError, UnreachableError

MIGRATIONS = Path(__file__).parent / "migrations"


class Store:
    """The database behind one URL (`sqlite:///file`, `postgresql+psycopg://…`)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def compact(self) -> None:
        """Fold SQLite's write-ahead log into the file; other databases look after themselves."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def close(self) -> None:
        self.engine.dispose()


def open_store(url: str) -> Store:
    """Open the store and bring it to the newest version; ConfigError or UnreachableError with a remedy."""
    try:
        parsed = make_url(url)
        engine = create_engine(_with_driver(url), pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"is not a database URL: {error}",
            where="store.url",
            remedy="Use sqlite:///keeper.db or postgresql://user@host/name",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
    place = parsed.render_as_string(hide_password=True)
    try:
        _migrate(engine)
    except CommandError as error:
        raise ConfigError(
            f"was written by a newer keeper ({error})",
            where=f"store {place}",
            remedy="Install that version again, or name another store",
        ) from None
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        raise UnreachableError(
            f"cannot be opened: {cause}",
            where=f"store {place}",
            remedy="Check that the folder or server exists and may be written",
        ) from None
    return Store(engine)


def _with_driver(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == newest:
            return
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
