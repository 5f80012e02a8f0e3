"""Accounts that the operator's store already knows, read without changing anything in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import structlog
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from keeper.store import accounts
from keeper.store.database import Store, with_driver

log = structlog.get_logger()


def copy_known(real: str, own: Store, markets: list[str], newest: int) -> int:
    """Copy the accounts discovered so far, unless a market's checkpoint lies beyond block `newest`; returns
    how many.

    A store that is missing or cannot be read is left alone: the fork then discovers by itself.
    """
    engine = _read_only(real)
    if engine is None:
        return 0
    copied = 0
    try:
        for market in markets:
            saved = accounts.load(Store(engine), market)
            if saved is not None and saved.block <= newest:
                accounts.save(own, market, saved)
                copied += len(saved.records)
    except SQLAlchemyError as error:
        log.warning("store not used", error=str(getattr(error, "orig", error)))
    finally:
        engine.dispose()
    return copied


def _read_only(url: str) -> Engine | None:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(with_driver(url), execution_options={"postgresql_readonly": True})
    path = Path(parsed.database or "")
    if not path.is_file():
        return None
    # Nobody has it open: without this SQLite leaves an empty log beside it, even when only reading.
    calm = not path.with_name(path.name + "-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if calm else "")
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True))
