"""A book's memory: every account with its raw state at a checkpoint, and what the last blocks touched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, select

from keeper.store.database import Store
from keeper.store.tables.watching import Checkpoint, KnownAccount

# Databases limit the parameters of one query.
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class SavedBlock:
    """A block that a book was at: its number and hash, and the accounts (lower case) read again there."""

    number: int
    hash: str
    touched: frozenset[str]


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint: records of accounts (lower case) as of `block`; on saving, only those that changed.

    `addresses` are the contracts whose events were followed, `recent` the blocks before, the oldest first.
    `block_hash` is empty while the first scan is still under way; an empty record was not read yet.
    """

    block: int
    block_hash: str
    addresses: tuple[str, ...]
    records: Mapping[str, bytes]
    recent: tuple[SavedBlock, ...] = field(default=())


def load(store: Store, market: str) -> Saved | None:
    with store.session() as session:
        checkpoint = session.get(Checkpoint, market)
        if checkpoint is None:
            return None
        # Plain rows: a million objects of the mapper would take most of a minute.
        found = session.exec(
            select(KnownAccount.account, KnownAccount.record).where(KnownAccount.market == market)
        )
        records = {row[0]: row[1] for row in found}
    return Saved(
        checkpoint.block,
        checkpoint.block_hash,
        tuple(json.loads(checkpoint.addresses)),
        records,
        tuple(SavedBlock(n, h, frozenset(touched)) for n, h, touched in json.loads(checkpoint.recent)),
    )


def has_checkpoint(store: Store, market: str) -> bool:
    """Whether the store has a checkpoint of this market: then it was found to be one, as only then its events
    are scanned."""
    with store.session() as session:
        return session.get(Checkpoint, market) is not None


def save(store: Store, market: str, saved: Saved) -> None:
    """Save records and checkpoint in one transaction: a checkpoint never claims what is not kept."""
    rows = [
        {"market": market, "account": account, "record": record}
        for account, record in sorted(saved.records.items())
    ]
    with store.session() as session:
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            _upsert(session, rows[at : at + _ROWS_AT_ONCE])
        session.merge(
            Checkpoint(
                market=market,
                block=saved.block,
                block_hash=saved.block_hash,
                addresses=json.dumps(saved.addresses),
                recent=json.dumps([[b.number, b.hash, sorted(b.touched)] for b in saved.recent]),
            )
        )


def _upsert(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert, or replace the record of those that are there."""
    connection = session.connection()
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    wanted = dialect.insert(KnownAccount)
    insert: Insert = wanted.on_conflict_do_update(
        index_elements=["market", "account"], set_={"record": wanted.excluded.record}
    )
    # Handed to the driver as they are: SQLAlchemy's look at each row takes longer than the database does.
    made = insert.compile(dialect=connection.dialect, column_keys=["market", "account", "record"])
    order = getattr(made, "positiontup", None)
    many = [tuple(row[name] for name in order) for row in rows] if order else list(rows)
    connection.exec_driver_sql(str(made), many)
