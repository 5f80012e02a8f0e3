"""The outcome of the crash: each account's course, what was done, and what should not have been."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import col, select

from keeper.demo.crash_play import CrashMoment, recorded
from keeper.demo.crash_stage import BUDGET, OWNER, CrashStage
from keeper.demo.reading import checked
from keeper.demo.running import journal_of
from keeper.localchain.four_markets import PROTOCOLS
from keeper.model.money import WAD
from keeper.store.tables.journal import Intent, LedgerEntry, Transaction, TransactionIntent


@dataclass
class CrashLine:
    """One account's day; health scaled 1e18."""

    market: str
    account: str
    label: str
    before: int | None
    lowest: int | None
    after: int | None
    emptied: bool
    done: list[str] = field(default_factory=list)


@dataclass
class CrashOutcome:
    """The outcome of the whole day; money in whole dollars of 18 decimals."""

    lines: list[CrashLine]
    liquidations: Counter[str]
    top_ups: Counter[str]
    transactions: int
    shared: int
    """Transactions that carried intents of more than one market."""
    earned: int
    """What transactions with liquidations brought by the ledger, before gas; what top-ups in them took is
    added back."""
    spent: int
    """What top-ups took, as planned."""
    booked: int
    """Everything that came less everything that left, by the ledger, before gas."""
    gas_cost: int
    owner_spent: int
    compared: int
    blocks: int
    faults: list[str]


def crash_outcome(stage: CrashStage, moments: Sequence[CrashMoment]) -> CrashOutcome:
    """The outcome, from the record, the journal and the outside check; `faults` names what should not have
    happened."""
    check, faults = checked(stage, moments[-1].block, PROTOCOLS.values())
    lines = _lines(stage, moments)
    with journal_of(stage.folder) as session:
        intents = session.exec(select(Intent).where(Intent.state == "settled").order_by(col(Intent.id))).all()
        carried = session.exec(
            select(TransactionIntent.transaction_id, Intent.market)
            .join(Intent, col(Intent.id) == col(TransactionIntent.intent_id))
            .where(Intent.state == "settled")
        ).all()
        bookings = session.exec(select(LedgerEntry)).all()
        mined = session.exec(select(Transaction.id).where(col(Transaction.block).is_not(None))).all()
    by_account = {(line.market, line.account): line for line in lines}
    for intent in intents:
        line = by_account.get((intent.market, intent.account[:42]))
        if line is not None:
            line.done.append(_words(intent))
    for line in lines:
        if line.lowest is not None and line.lowest < WAD and not line.emptied and (line.after or WAD) < WAD:
            faults.append(f"{line.account} in {line.market} is still liquidatable")
    topped_up = sum(int(i.spend) for i in intents if i.kind == "top_up")
    booked = sum(int(row.value) for row in bookings)
    owner = [i for i in intents if i.kind == "top_up" and i.account[:42] == OWNER]
    spent = sum(int(i.spend) for i in owner)
    if spent > BUDGET * WAD:
        faults.append(f"the owner's budget of {BUDGET} was overspent: {spent / WAD:.2f}")
    if any(i.kind == "liquidate" and i.account[:42] == OWNER for i in intents) and not owner:
        faults.append("the protected owner was liquidated without a top-up")
    together: dict[int, set[str]] = {}
    for transaction, market in carried:
        together.setdefault(transaction, set()).add(market)
    return CrashOutcome(
        lines,
        Counter(i.market for i in intents if i.kind == "liquidate"),
        Counter(i.market for i in intents if i.kind == "top_up"),
        len(mined),
        sum(len(markets) > 1 for markets in together.values()),
        booked + topped_up,
        topped_up,
        booked,
        sum(int(row.gas) for row in bookings),
        spent,
        check["compared"],
        check["blocks"],
        faults,
    )


def _lines(stage: CrashStage, moments: Sequence[CrashMoment]) -> list[CrashLine]:
    healths: dict[tuple[str, str], list[int | None]] = {}
    for moment in moments:
        for market, accounts in moment.markets.items():
            for each in accounts:
                health = None if each["health"] is None else int(each["health"])
                healths.setdefault((market, each["account"].lower()), []).append(health)
    last = recorded(stage, moments[-1].block)
    collateral = {(m, a["account"].lower()): int(a["collateral"]) for m, each in last.items() for a in each}
    found = []
    for person in stage.people:
        seen = healths.get((person.market, person.owner), [None])
        left = collateral.get((person.market, person.owner), 0)
        known = [health for health in seen if health is not None]
        lowest = min(known, default=None)
        after = seen[-1] if left else None
        found.append(CrashLine(person.market, person.owner, person.label, seen[0], lowest, after, left == 0))
    return found


def _words(intent: Intent) -> str:
    summary = json.loads(intent.summary)
    if intent.kind == "top_up":
        action, amount = next(iter(summary.items()))
        return f"{'supplied' if action == 'add collateral' else 'repaid'} {amount}"
    if "absorb" in summary:
        return f"liquidated: absorbed, {summary['absorb']}"
    # Where a pool of the protocol's own repays, what we get is all there is to say.
    verb, amount = "repaid", summary.get("repay", "")
    if not amount or amount.startswith("0 "):
        verb, amount = "received", summary.get("receive", "")
    return f"liquidated: {verb} {amount}" if amount else "liquidated"
