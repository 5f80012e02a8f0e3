"""`keeper history`: what was planned and done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from sqlalchemy import or_
from sqlmodel import Session, col, select

from keeper.alerts.wording import format_summary
from keeper.cli.books import export
from keeper.cli.output import cell, console, digits, name, print_json, print_rows
from keeper.errors import ConfigError
from keeper.execution import journal
from keeper.model.format import format_health
from keeper.protocols.registry import load
from keeper.service.reporting.ledger import earned
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent, Transaction, Transition

_SHOWN = {"hash", "purpose", "nonce", "state", "block", "succeeded", "gas_used", "channel"}


def history(config: Path, intent: int | None, *, as_json: bool, csv: str | None = None) -> None:
    store = open_store(load(config).store.url)
    with store.session() as session:
        if csv is not None:
            count = export(session, csv)
            if csv != "-":
                console.print(f"{count} transactions are in {csv}")
            return
        if intent is not None:
            _timeline(session, intent, as_json=as_json)
            return
        rows = [
            (row, journal.transactions_of(session, row.id or 0), earned(session, row))
            for row in session.exec(select(Intent).order_by(col(Intent.id))).all()
        ]
    if as_json:
        print_json([_as_object(row, sent, net) for row, sent, net in rows])
        return
    print_rows(
        "intents",
        rows,
        {
            "id": lambda r: str(r[0].id),
            "block": lambda r: str(r[0].planned_block),
            "market": lambda r: r[0].market,
            "account": lambda r: cell(r[0].account),
            "kind": lambda r: _kind(r[0]),
            "health": lambda r: format_health(r[0].health),
            "state": lambda r: r[0].state,
            "what": lambda r: format_summary(r[0].summary),
            "earned": lambda r: "" if r[2] is None else f"{r[2]:,.2f}",
            "why": lambda r: r[0].reason,
        },
    )


def _block(change: Transition) -> str:
    """The block number, and for an inclusion enough of its hash to tell it from another."""
    if change.block is None:
        return ""
    return str(change.block) + (f" {change.block_hash[:10]}…" if change.block_hash else "")


def _kind(row: Intent) -> str:
    """The kind of the intent, whether it is only for show, and the number of the attempt from the second
    on."""
    again = f", attempt {row.attempt}" if row.attempt > 1 else ""
    return f"{row.kind}{' (dry run)' if row.mode == 'dry' else ''}{again}"


def _as_object(row: Intent, sent: Sequence[Transaction], net: Decimal | None) -> dict[str, object]:
    return {
        "earned": None if net is None else str(net),
        **row.model_dump(mode="json", exclude={"plan", "summary", "health", "spend", "gain"}),
        "summary": json.loads(row.summary),
        "health": str(row.health),
        "spend": str(Decimal(row.spend).scaleb(-18)),
        "gain": str(Decimal(row.gain).scaleb(-18)),
        "transactions": [
            {
                **t.model_dump(include=_SHOWN),
                "gas_price": digits(t.gas_price),
                "replaces": next((o.hash for o in sent if o.id == t.replaces_id), None),
            }
            for t in sent
        ],
    }


def _timeline(session: Session, intent: int, *, as_json: bool) -> None:
    row = session.get(Intent, intent)
    if row is None:
        raise ConfigError(
            f"there is no intent {intent}", where="history", remedy="`keeper history` lists them"
        )
    sent = journal.transactions_of(session, intent)
    hashes = {None: "intent", **{t.id: f"{t.purpose} {t.hash}" for t in sent}}
    changes = session.exec(
        select(Transition)
        .where(
            or_(
                col(Transition.intent_id) == intent,
                col(Transition.transaction_id).in_([t.id for t in sent]),
            )
        )
        .order_by(col(Transition.id))
    ).all()
    if as_json:
        timeline = [{**change.model_dump(mode="json"), "fee": digits(change.fee)} for change in changes]
        print_json({**_as_object(row, list(sent), earned(session, row)), "timeline": timeline})
        return
    print_rows(
        f"intent {intent}: {row.kind} {name(row.account)} in {row.market}, {row.state}",
        changes,
        {
            "at": lambda c: c.at.isoformat(timespec="seconds"),
            "block": _block,
            "what": lambda c: hashes[c.transaction_id],
            "from": lambda c: c.before,
            "to": lambda c: c.after,
            "fee (wei)": lambda c: digits(c.fee) or "",
            "why": lambda c: c.reason,
        },
    )
