"""The outbox: alerts are written in the transaction of what they report, and delivered afterwards."""

from __future__ import annotations

import json
from typing import Literal

from sqlalchemy import bindparam
from sqlmodel import Session, select

from keeper.alerts.wording import format_account
from keeper.store.rows import insert_row
from keeper.store.tables.alerts import Alert

Severity = Literal["info", "warning", "critical"]
MOST_LETTERS = 4_000
_TOLD = select(Alert.id).where(Alert.dedup_key == bindparam("dedup_key"))
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


def alert(
    session: Session,
    *,
    dedup_key: str,
    kind: str,
    severity: Severity,
    title: str,
    market: str = "",
    account: str = "",
    fields: dict[str, str] | None = None,
) -> None:
    """Write an alert, unless one with the same `dedup_key` was ever written. Names and reasons may be a
    stranger's: they are cut, and what does not print is left out (a store keeps no NUL, a screen obeys
    escapes)."""
    title = _plain(title)
    fields = {name: _plain(value) for name, value in (fields or {}).items()}
    if session.exec(_TOLD, params={"dedup_key": dedup_key}).first() is not None:
        return
    shown = {"kind": kind, "severity": severity, "market": market, "account": format_account(account)}
    shown |= fields
    row = Alert(
        dedup_key=dedup_key,
        kind=kind,
        severity=severity,
        market=market,
        account=account,
        title=title,
        body="\n".join(f"{name}: {value}" for name, value in shown.items() if value),
        fields=json.dumps(fields),
    )
    insert_row(session, row)


def _plain(text: str) -> str:
    cut = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"
    return "".join(each for each in cut if each.isprintable() or each == "\n")
