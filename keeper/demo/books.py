"""The keeper's books against the chain: every token of the keeper's went where they say."""

from __future__ import annotations

import json
from collections import Counter

from sqlmodel import col, select

from keeper.demo.reading import word
from keeper.demo.running import journal_of
from keeper.demo.stage import DOLLARS, Stage
from keeper.store.tables.journal import Intent, LedgerEntry, Transaction, TransactionIntent


def booked(stage: Stage, last: int, faults: list[str]) -> int:
    """What liquidations brought, base units before gas; `faults` names what the books have wrong."""
    with journal_of(stage.folder) as session:
        rows = session.exec(select(LedgerEntry)).all()
        liquidating = set(
            session.exec(
                select(TransactionIntent.transaction_id)
                .join(Intent, col(Intent.id) == col(TransactionIntent.intent_id))
                .where(Intent.kind == "liquidate")
            ).all()
        )
        mined = session.exec(select(Transaction.id).where(col(Transaction.block).is_not(None))).all()
    unbooked = set(mined) - {row.transaction_id for row in rows}
    if unbooked:
        faults.append(f"{len(unbooked)} transactions are not in the books")
    moved: Counter[str] = Counter()
    for row in rows:
        for line in json.loads(row.moved):
            moved[line["token"]] += int(line["units"])
    for reserve in stage.market.reserves.values():
        before, after = (
            word(stage, block, reserve.asset, "balanceOf(address)", stage.keeper)
            for block in (stage.first_block, last)
        )
        really = after - before
        if really != moved[reserve.asset.lower()]:
            faults.append(
                f"the books say {moved[reserve.asset.lower()]} {reserve.symbol}, the chain {really}"
            )
    return sum(DOLLARS.base_down(row.value) for row in rows if row.transaction_id in liquidating)
