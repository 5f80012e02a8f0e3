"""`keeper history --csv`: one line per transaction that is in a block, with its gain and cost."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sqlmodel import Session, col, select

from keeper.errors import ConfigError
from keeper.execution import transactions
from keeper.model.format import format_amount
from keeper.store.tables.journal import LedgerEntry, Transaction

COLUMNS = (
    "time", "chain", "block", "transaction", "purpose", "succeeded", "market", "intents", "accounts", "moved",
    "unpriced", "value", "gas_used", "gas_coins", "gas", "net",
)  # fmt: skip


def export(session: Session, where: str) -> int:
    """Write the books to a file, or to standard output for "-"; returns the number of lines. Values in whole
    units of account, exactly."""
    rows = session.exec(
        select(LedgerEntry, Transaction)
        .join(Transaction, col(Transaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerEntry.block_hash == Transaction.block_hash)
        .order_by(col(Transaction.block), col(Transaction.id))
    ).all()
    with _opened(where) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for entry, transaction in rows:
            writer.writerow(_row(session, entry, transaction))
    return len(rows)


def _row(session: Session, entry: LedgerEntry, transaction: Transaction) -> list[object]:
    carried = transactions.intents_of(session, transaction.id or 0)
    moved = [
        f"{_signed(int(each['units']), int(each['decimals']))} {each['symbol']}"
        for each in json.loads(entry.moved)
    ]
    return [
        datetime.fromtimestamp(entry.timestamp, UTC).isoformat(),
        transaction.chain,
        transaction.block,
        transaction.hash,
        transaction.purpose,
        "yes" if transaction.succeeded else "no",
        entry.market,
        " ".join(str(each.id) for each in carried),
        " ".join(each.account for each in carried),
        "; ".join(moved),
        entry.unpriced,
        format_amount(entry.value, 18),
        transaction.gas_used,
        format_amount(entry.gas_wei, 18),
        format_amount(entry.gas, 18),
        format_amount(entry.net, 18),
    ]


def _signed(units: int, decimals: int) -> str:
    return f"{'+' if units > 0 else ''}{format_amount(units, decimals)}"


@contextmanager
def _opened(where: str) -> Iterator[TextIO]:
    if where == "-":
        yield sys.stdout
        return
    try:
        with Path(where).open("w", newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise ConfigError.unwritable(where, error) from None
