"""The outcome of the day, from the chain's own events and the outside check, not from the keeper's
reports."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from keeper.demo import wrongs
from keeper.demo.reading import LIQUIDATION, checked, events, price, word
from keeper.demo.running import journal_of
from keeper.demo.stage import DOLLARS, Stage
from keeper.model.money import WAD
from keeper.store.tables.journal import Intent, LedgerEntry, Transaction, TransactionIntent

# No reserve of the day gives more on top of what is repaid, and no liquidation takes less gas.
LARGEST_BONUS_PERCENT = 10
LIQUIDATION_GAS = 300_000
NO_TRUTH: Mapping[int, Mapping[str, int]] = MappingProxyType({})


@dataclass
class Line:
    """One account's day. Health scaled 1e18 by the contract's view; gain in base units."""

    account: str
    label: str
    before: int | None
    lowest: int | None
    after: int | None
    collateral: int
    debt: int
    done: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    gain: int = 0

    @property
    def was_liquidatable(self) -> bool:
        return self.lowest is not None and self.lowest < WAD

    @property
    def cured(self) -> bool:
        """Whether it is healthy again, or emptied: no collateral or no debt left."""
        return self.after is None or self.after >= WAD or self.collateral == 0


@dataclass
class DayOutcome:
    """The outcome of the whole day. Amounts in base units (8 decimals): `earned` is what liquidations seized
    less what they repaid, at the oracle's prices, `booked` what they really brought, by the ledger."""

    lines: list[Line]
    liquidations: int
    top_ups: int
    bad_debt: int
    earned: int
    booked: int
    gas_cost: int
    compared: int
    blocks: int
    faults: list[str]

    @property
    def profit(self) -> int:
        return self.booked - self.gas_cost


def _gas_of_one(stage: Stage, last: int) -> int:
    """The least gas cost of a liquidation on this day, base units at the last prices: the least that any of
    the keeper's transactions paid, by the chain's receipts."""
    with journal_of(stage.folder) as session:
        paid = [each.gas_price for each in session.exec(select(Transaction)).all() if each.gas_price]
    ether = price(stage, stage.market.reserves["WETH"].asset, last)
    return LIQUIDATION_GAS * min(paid, default=0) * ether // WAD


def outcome(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]] = NO_TRUTH) -> DayOutcome:
    """Read the chain and the outside check; `faults` names everything that should not have happened. With the
    true prices by block (a hostile day), actions that only a lie could justify are faults too."""
    check, faults = checked(stage, last, ["aave-v3"], [m.address for m in stage.people.members])
    labels = {m.address.lower(): m.label for m in stage.people.members}
    labels[stage.people.lender.lower()] = "lender"
    lines = {a: _line(a, labels.get(a, "treasury"), data) for a, data in check["accounts"].items()}
    liquidations, earned = _liquidations(stage, last, lines, faults)
    faults += wrongs.wrong_actions(stage, last, truth) if truth else []
    top_ups, gas_cost = _journal(stage, lines)
    booked = _booked(stage, last, faults)
    # On the plain day gas is cheap, and nobody is excused.
    gas = _gas_of_one(stage, last) if stage.world is not None else 0
    for line in lines.values():
        too_dear = line.collateral * LARGEST_BONUS_PERCENT < 100 * gas
        if line.was_liquidatable and not line.cured and not too_dear:
            faults.append(f"{line.account} ({line.label}) is still liquidatable, health {line.after}")
    return DayOutcome(
        lines=sorted(lines.values(), key=lambda each: (each.lowest is None, each.lowest or 0)),
        liquidations=liquidations,
        top_ups=top_ups,
        bad_debt=sum(line.debt for line in lines.values() if line.collateral == 0),
        earned=earned,
        booked=booked,
        gas_cost=gas_cost,
        compared=check["compared"],
        blocks=check["blocks"],
        faults=faults,
    )


def _line(account: str, label: str, data: dict[str, Any]) -> Line:
    def health(key: str) -> int | None:
        return None if data.get(key) is None else int(data[key])

    return Line(
        account,
        label,
        health("first"),
        health("lowest"),
        health("last"),
        int(data["collateral"]),
        int(data["debt"]),
    )


def _liquidations(stage: Stage, last: int, lines: dict[str, Line], faults: list[str]) -> tuple[int, int]:
    """Sum up the day's liquidations from the pool's events, valued at the oracle's prices in each block."""
    assets = {r.asset.lower(): r for r in stage.market.reserves.values()}
    protected = {a.lower() for a in stage.people.protected}
    count, earned = 0, 0
    for event in events(stage, last, LIQUIDATION):
        collateral, debt, account = event.topics
        repaid, seized = event.words[:2]
        block = event.block
        got, paid = assets[collateral], assets[debt]
        received = seized * price(stage, collateral, block) // 10**got.decimals
        cost = repaid * price(stage, debt, block) // 10**paid.decimals
        line = lines[account]
        line.done.append(f"liquidated: repaid {repaid / 10**paid.decimals:,.2f} {paid.symbol}")
        line.transactions.append(event.transaction)
        line.gain += received - cost
        count, earned = count + 1, earned + received - cost
        if account in protected:
            faults.append(f"the protected account {account} was liquidated in block {block}")
    return count, earned


def _journal(stage: Stage, lines: dict[str, Line]) -> tuple[int, int]:
    """Count top-ups from the journal, and sum up the cost of all the keeper's gas in base units."""
    ether = stage.market.reserves["WETH"].asset
    top_ups, gas_cost = 0, 0
    with journal_of(stage.folder) as session:
        for sent in session.exec(select(Transaction)).all():
            if sent.block is None:
                continue
            wei = (sent.gas_used or 0) * (sent.gas_price or 0)
            gas_cost += wei * price(stage, ether, sent.block) // WAD
        rows = session.exec(
            select(Intent, Transaction)
            .join(TransactionIntent, TransactionIntent.intent_id == Intent.id)  # type: ignore[arg-type]
            .join(Transaction, Transaction.id == TransactionIntent.transaction_id)  # type: ignore[arg-type]
            .where(Intent.kind == "top_up", Transaction.purpose == "act")
        ).all()
        for intent, sent in rows:
            if not sent.succeeded:
                continue
            line = lines[intent.account]
            action, amount = next(iter(json.loads(intent.summary).items()))
            line.done.append(f"{'supplied' if action == 'add collateral' else 'repaid'} {amount}")
            line.transactions.append(sent.hash)
            line.gain -= DOLLARS.base_up(intent.spend)
            top_ups += 1
    return top_ups, gas_cost


def _booked(stage: Stage, last: int, faults: list[str]) -> int:
    """What liquidations brought by the ledger, base units before gas. `faults` names what the ledger has
    wrong: every token of the keeper's must have moved as it says."""
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
