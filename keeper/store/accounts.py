"""Discovery's memory: the accounts events ever named, and how far the events were read."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert
from sqlmodel import col, select

from keeper.store.database import Store
from keeper.store.tables import Checkpoint, KnownAccount

# Databases limit the parameters of one query.
_ASKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint with its accounts (lower case); on saving, only the new ones.

    `block_hash` is empty while the first scan is still under way.
    """

    block: int
    block_hash: str
    filter_digest: str
    accounts: set[str]


def load(store: Store, market: str) -> Saved | None:
    with store.session() as session:
        checkpoint = session.get(Checkpoint, market)
        if checkpoint is None:
            return None
        rows = session.exec(select(KnownAccount.account).where(KnownAccount.market == market))
        return Saved(checkpoint.block, checkpoint.block_hash, checkpoint.filter_digest, set(rows))


def save(store: Store, market: str, saved: Saved) -> None:
    """Accounts and checkpoint in one transaction: a checkpoint never claims what is not kept."""
    with store.session() as session:
        new = sorted(saved.accounts)
        present = set[str]()
        for at in range(0, len(new), _ASKED_AT_ONCE):
            asked = col(KnownAccount.account).in_(new[at : at + _ASKED_AT_ONCE])
            query = select(KnownAccount.account).where(KnownAccount.market == market, asked)
            present.update(session.exec(query))
        rows = [{"market": market, "account": a} for a in new if a not in present]
        if rows:
            session.execute(insert(KnownAccount), rows)
        session.merge(
            Checkpoint(
                market=market,
                block=saved.block,
                block_hash=saved.block_hash,
                filter_digest=saved.filter_digest,
            )
        )
