"""The outcome of the day of derivatives: each account's course, and what should have been otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlmodel import col, select

from keeper.alerts.wording import PAST, format_summary
from keeper.demo.derivatives_play import DerivativesMoment
from keeper.demo.derivatives_stage import Character, DerivativesStage
from keeper.demo.reading import run_outside
from keeper.demo.running import journal_of
from keeper.model.account_key import account_key
from keeper.store.tables.journal import Intent, LedgerEntry

_CHECKER = Path(__file__).with_name("check_derivatives.py")
# How an account's positions may stand at the end, by how the story has it end.
_RIGHT = {
    "unharmed": {"same"},
    "top_up": {"same"},
    "reduce": {"smaller"},
    "liquidated": {"empty", "smaller", "liquidated"},
    "settled": {"settled"},
}
_DONE = {"unharmed": "", "top_up": "top_up", "reduce": "reduce", "liquidated": "liquidate", "settled": ""}
"""The kind of intent without which an account cannot have ended so."""


@dataclass(frozen=True)
class DerivativesLine:
    """One account's day; health scaled 1e18; `end` is the account's end by the contracts themselves."""

    market: str
    account: str
    label: str
    before: int | None
    lowest: int | None
    after: int | None
    end: str
    done: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DerivativesOutcome:
    """The outcome of the whole day; money in whole dollars of 18 decimals. `earned` is what was booked before
    gas."""

    lines: list[DerivativesLine]
    booked: int
    gas_cost: int
    compared: int
    blocks: int
    faults: list[str]


def derivatives_outcome(stage: DerivativesStage, moments: Sequence[DerivativesMoment]) -> DerivativesOutcome:
    """The outcome, from the record, the journal and the outside check."""
    names = {
        "token": stage.options.token,
        "cache": stage.options.greek_cache,
        "adapter": stage.options.adapter,
        "accounts": [[each.market, each.account] for each in stage.cast],
    }
    check, faults = run_outside(_CHECKER, stage, moments[-1].block, json.dumps(names))
    with journal_of(stage.folder) as session:
        intents = session.exec(select(Intent).where(Intent.state == "settled").order_by(col(Intent.id))).all()
        bookings = session.exec(select(LedgerEntry)).all()
    lines = []
    for each in stage.cast:
        of_it = [i for i in intents if (i.market, i.account) == (each.market, account_key(each.account))]
        line = _line(each, moments, check["ends"].get(f"{each.market} {each.account}", "unknown"), of_it)
        lines.append(line)
        faults += _wrong(each, line, of_it)
    booked, gas = sum(int(row.value) for row in bookings), sum(int(row.gas) for row in bookings)
    return DerivativesOutcome(lines, booked, gas, check["compared"], check["blocks"], faults)


def _line(
    each: Character, moments: Sequence[DerivativesMoment], end: str, intents: Sequence[Intent]
) -> DerivativesLine:
    seen = [
        account["health"]
        for moment in moments
        for account in moment.markets.get(each.market, [])
        if account["account"].lower() == each.account.lower()
    ]
    known = [int(health) for health in seen if health is not None]
    done = [
        f"{PAST[i.kind]}: {told}" if (told := format_summary(i.summary)) else PAST[i.kind] for i in intents
    ]
    last = seen[-1] if seen else None
    return DerivativesLine(
        each.market,
        each.account,
        each.label,
        known[0] if known else None,
        min(known, default=None),
        None if last is None else int(last),
        end,
        done,
    )


def _wrong(each: Character, line: DerivativesLine, intents: Sequence[Intent]) -> list[str]:
    """How the account's end differs from the story's."""
    who, found = f"{each.label} ({each.account} in {each.market})", []
    if line.end not in _RIGHT[each.ends]:
        found.append(f"{who} ended as {line.end}, where it should have been {each.ends}")
    kinds = {intent.kind for intent in intents}
    if _DONE[each.ends] and _DONE[each.ends] not in kinds:
        found.append(f"{who}: nothing of kind {_DONE[each.ends]} was done")
    if each.ends != "liquidated" and "liquidate" in kinds:
        found.append(f"{who} was liquidated")
    return found
