"""A keeper that kills itself (SIGKILL) at a change of state that it journals, by its number: `before` it is
committed, or right `after`."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session


def die_at(when: str, number: int) -> None:
    left = [number]
    due: set[int] = set()
    """Threads whose present transaction of the store has the change in it."""

    def before_execute(
        connection: Connection, cursor: object, statement: str, values: Any, context: object, many: bool
    ) -> None:
        if not statement.startswith("INSERT INTO transition "):
            return
        left[0] -= len(values) if many else 1
        if left[0] <= 0:
            if when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            due.add(threading.get_ident())

    def after_commit(session: Session) -> None:
        if threading.get_ident() in due:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", before_execute)
    event.listen(Session, "after_commit", after_commit)
