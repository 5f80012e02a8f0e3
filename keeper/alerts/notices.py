"""An adapter's warnings about its whole market: each alerted once when it begins and once when it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlmodel import Session, col, select

from keeper.alerts.outbox import alert
from keeper.store.tables.alerts import Alert

_BEGUN, _OVER = "market_warning", "market_warning_over"


def note(session: Session, market: str, block: int, standing: Mapping[str, str], known: set[str]) -> None:
    """Alert about what is new in `standing` (name to words) and what of `known` is over; then update
    `known`."""
    begun = [(name, _BEGUN, standing[name]) for name in sorted(standing.keys() - known)]
    over = [(name, _OVER, f"no longer {name.replace('_', ' ')}") for name in sorted(known - standing.keys())]
    for name, kind, words in (*begun, *over):
        alert(
            session,
            dedup_key=f"market_warning:{market}:{name}:{block}{':over' if kind == _OVER else ''}",
            kind=kind,
            severity="warning" if kind == _BEGUN else "info",
            market=market,
            title=f"{market}: {words}",
            fields={"warning": name, "block": str(block)},
        )
    known.clear()
    known.update(standing)


def open_notices(session: Session, market: str) -> set[str]:
    """The names of the warnings that were alerted as begun and not as over."""
    rows = session.exec(
        select(Alert)
        .where(Alert.market == market, col(Alert.kind).in_((_BEGUN, _OVER)))
        .order_by(col(Alert.id))
    ).all()
    found: set[str] = set()
    for row in rows:
        name = str(json.loads(row.fields)["warning"])
        (found.add if row.kind == _BEGUN else found.discard)(name)
    return found
