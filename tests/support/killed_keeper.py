"""`python -m tests.support.killed_keeper WHEN K …`: keeper, which kills itself (SIGKILL) at the K-th change
of state that it journals: `before` it is committed, or right `after`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from keeper.cli.main import main
from keeper.store.tables import Transition


def die_at(when: str, number: int) -> None:
    left = [number]
    due: set[Any] = set()

    def before_flush(session: Session, *_: object) -> None:
        left[0] -= sum(isinstance(row, Transition) for row in session.new)
        if left[0] <= 0:
            if when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            due.add(id(session))

    def after_commit(session: Session) -> None:
        if id(session) in due:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, "before_flush", before_flush)
    event.listen(Session, "after_commit", after_commit)


if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["keeper", *sys.argv[3:]]
    main()
