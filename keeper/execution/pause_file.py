"""The pause: a row that `keeper pause` writes, or a file that exists. It stops sending, never watching."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import Session, col, select

from keeper.store.tables.journal import Pause
from keeper.store.types import now

_STANDING = select(Pause).where(col(Pause.resumed_at).is_(None))


def paused(session: Session, file: Path | None) -> str:
    """Who paused and why, in words; empty when nobody did."""
    row = standing(session)
    if row is not None:
        why = f": {row.why}" if row.why else ""
        return f"paused by {row.who} at {row.at:%Y-%m-%d %H:%M:%S} UTC{why}"
    if file is not None and file.exists():
        return f"paused by the file {file.name}"
    return ""


def standing(session: Session) -> Pause | None:
    return session.exec(_STANDING).first()


def pause(session: Session, who: str, why: str) -> bool:
    """Pause; False when it was paused already (the earlier pause stays as it is)."""
    if standing(session) is not None:
        return False
    session.add(Pause(who=who, why=why))
    return True


def resume(session: Session, who: str) -> bool:
    """End the pause; False when there was none."""
    row = standing(session)
    if row is None:
        return False
    row.resumed_at, row.resumed_by = now(), who
    session.add(row)
    return True
