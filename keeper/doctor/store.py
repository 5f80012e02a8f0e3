"""The database: whether it opens, is sound, and can be written."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from keeper.config import Settings
from keeper.model.finding import Finding
from keeper.store.database import failure, open_store


def store(settings: Settings) -> Iterator[Finding]:
    """Open the store (create it where there is none) and check it; nothing is written to an existing one."""
    opened = open_store(settings.store.url)
    shown = opened.engine.url.render_as_string(hide_password=True)
    try:
        with opened.engine.connect() as connection:
            if opened.engine.dialect.name == "sqlite":
                said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
                if said != "ok":
                    yield Finding.fault(
                        "store", f"{shown} is damaged: {said}", "Restore a copy, or move it aside"
                    )
                    return
                # Takes the lock of a writer and gives it back.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.exec_driver_sql("ROLLBACK")
        yield Finding.ok("store", f"{shown} is sound and can be written")
    except SQLAlchemyError as error:
        raise failure(error, opened.engine.url) from None
    finally:
        opened.close()
