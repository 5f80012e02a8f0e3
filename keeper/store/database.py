"""Opening the store: engine, pragmas, migrations to the newest version, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlmodel import Session, SQLModel

import keeper.store.tables  # noqa: F401  (registers the tables)
from keeper.errors import ConfigError, UnreachableError

MIGRATIONS = Path(__file__).parent / "migrations"


# How long a server that does not answer is waited for (seconds; the last in milliseconds), where its URL says
# nothing else: without them a connection that was cut off would hang for hours.
_BOUNDS = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


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
        local = parsed.get_backend_name() == "sqlite"
        bounds = {} if local else {k: v for k, v in _BOUNDS.items() if k not in parsed.query}
        engine = create_engine(with_driver(url), pool_pre_ping=not local, connect_args=bounds)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"is not a database URL: {error}",
            where="store.url",
            remedy="Use sqlite:///keeper.db or postgresql://user@host/name",
        ) from None
    event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
    if parsed.get_backend_name() == "sqlite":
        # A `timeout` of the URL's own (seconds) stays; how long is waited comes before what may wait.
        if "timeout" not in parsed.query:
            event.listen(engine, "connect", _sqlite_patience)
        event.listen(engine, "connect", _sqlite_pragmas)
    try:
        _migrate(engine)
    except CommandError as error:
        raise ConfigError(
            f"was written by a newer keeper ({error})",
            where=f"store {parsed.render_as_string(hide_password=True)}",
            remedy="Install that version again, or name another store",
        ) from None
    except SQLAlchemyError as error:
        raise failure(error, parsed) from None
    return Store(engine)


def failure(error: SQLAlchemyError, url: URL) -> UnreachableError:
    """The error for a database's refusal: in words, with what to do about it."""
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    remedy = next(
        (advice for sign, advice in _ADVICE if sign in cause.lower()),
        "Check that the folder or server exists and may be written",
    )
    where = f"store {url.render_as_string(hide_password=True)}"
    return UnreachableError(f"cannot be used: {cause}", where=where, remedy=remedy)


# What SQLite says (part of it), and what helps.
_ADVICE = (
    (
        "malformed",
        "It is damaged: restore a copy, or move it aside. Accounts are found again, the journal is not",
    ),
    ("not a database", "It is another kind of file: name another store, or move it aside"),
    ("locked", "Another process is writing for too long: end it (another keeper?), or name another store"),
    ("is full", "Free some space; nothing was lost, what is under way carries on at the next start"),
    ("i/o error", "The disk is full or failing: free some space, or check it"),
    ("readonly", "It may not be written: check the owner of the file and its folder"),
)


def with_driver(url: str) -> str:
    """The URL with the driver that the keeper installs for PostgreSQL."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _without_nul(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Remove NULs from what is written: PostgreSQL refuses the whole statement for one, and SQLite keeps
    it."""
    return statement, _clean(parameters)


def _clean(value: Any) -> Any:
    """The parameters without NULs, of one row or of many, in the shape that they came in."""
    if isinstance(value, str):
        return value.replace("\0", "") if "\0" in value else value
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_clean(each) for each in value)
    return value


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _sqlite_patience(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA busy_timeout=30000")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == newest:
            return
    with _one_transaction(engine) as connection:
        config.attributes["connection"] = connection
        if current is None and not inspect(connection).get_table_names():
            # A new store is made as it is now; the way there is for those that have rows.
            SQLModel.metadata.create_all(connection)
            command.stamp(config, "head")
        else:
            command.upgrade(config, "head")


@contextmanager
def _one_transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction for all migrations, all or nothing and by one process at a time: another waits, and
    finds them done.

    SQLite's driver begins no transaction for changes of tables, so it is begun by hand; and tables are made
    anew there, which must not look to foreign keys as if their rows had gone.
    """
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            lock = {"key": crc32(b"keeper migration")}
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), lock)
            yield connection
        return
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
                if broken is not None:
                    raise ConfigError(
                        f"holds a row of {broken[0]} that belongs to no row of {broken[2]}",
                        where=f"store {engine.url.render_as_string(hide_password=True)}",
                        remedy="It is damaged: restore a copy, or move it aside",
                    )
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
