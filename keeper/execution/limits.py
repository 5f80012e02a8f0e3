"""Ceilings on spending and the list of permitted calls: checked where a transaction is signed, not before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlmodel import Session, col, select

from keeper.chain.erc20 import APPROVE
from keeper.execution.journal import fee_of
from keeper.execution.lifecycle import LIVE
from keeper.model.format import format_money
from keeper.model.money import money
from keeper.oracles.pull import carrier
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import IntentState, TransactionState
from keeper.store.types import now

DAY_SECONDS = 24 * 3600
_COMMITTED = (IntentState.REHEARSED, IntentState.SETTLED)

Allow = Mapping[str, frozenset[str] | None]
"""Contracts (lower case) and the selectors (0x and 8 digits) that may be called there; None: all."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of execution. Prices and gas money in wei, spending in whole units of account."""

    max_gas_price: int
    plan_blocks: int = 3
    confirmations: int | None = None
    """Blocks after which a transaction is final; None: once the chain reports it finalized."""
    settle_blocks: int = 1
    """Blocks after which an intent ends by the outcome of its transaction."""
    replace_blocks: int = 3
    cancel_blocks: int = 25
    max_in_flight: int = 16
    max_spend_per_transaction: Decimal | None = None
    max_spend_per_day: Decimal | None = None
    max_gas_per_day: int | None = None
    allow: Allow | None = None


def not_allowed(limits: Limits, sender: str, target: str, data: str) -> str:
    """Why this call may not be signed, in words; empty when it may.

    Always permitted: a transfer of nothing to oneself, and an allowance for a contract that may be called (or
    a withdrawal of any allowance). `allow` None permits everything: only for tests of other things.
    """
    if limits.allow is None or (target.lower() == sender.lower() and data in ("", "0x")):
        return ""
    selector, allowed = data[:10].lower(), {k.lower(): v for k, v in limits.allow.items()}
    if selector == APPROVE:
        spender, amount = "0x" + data[34:74].lower(), int(data[74:138] or "0", 16)
        if spender in allowed or amount == 0:
            return ""
        return f"an allowance for {spender}, which is not on the allow-list"
    if target.lower() not in allowed:
        return f"{target} is not on the allow-list"
    selectors = allowed[target.lower()]
    if selectors is not None and selector not in selectors:
        return f"{selector} of {target} is not on the allow-list"
    if selector != carrier.SELECTOR:
        return ""
    # What our contract calls for us must be allowed to ourselves.
    carried = carrier.carried_call(data)
    if carried is None:
        return f"what {target} is to call cannot be read"
    return not_allowed(limits, sender, carried.target, carried.data)


def overspent(session: Session, limits: Limits, intents: list[Intent]) -> str:
    """Why these intents, in one transaction, would spend too much; empty when they would not."""
    together = sum(intent.spend for intent in intents)
    most = limits.max_spend_per_transaction
    if most is not None and together > money(most):
        return f"would spend {format_money(together)}, more than max_spend_per_transaction ({most})"
    most = limits.max_spend_per_day
    if most is None:
        return ""
    since = max(intent.planned_timestamp for intent in intents) - DAY_SECONDS
    rows = session.exec(
        select(Intent).where(
            Intent.mode == "live",
            Intent.planned_timestamp > since,
            col(Intent.state).in_(_COMMITTED),
        )
    ).all()
    spent = sum(row.spend for row in rows if row.id not in {intent.id for intent in intents})
    if spent + together > money(most):
        more = format_money(together)
        return f"{format_money(spent)} are spent today, {more} more exceed max_spend_per_day ({most})"
    return ""


def gas_overspent(
    session: Session, limits: Limits, chain: str, sender: str, wei: int, instead_of: int | None = None
) -> str:
    """Why `wei` more of gas money would be too much within 24 hours; empty when it would not. The transaction
    `instead_of` (its id) then counts nothing: a block takes one of the two.

    Transactions in a block count with the full charge in their receipt; those in flight or to be signed, with
    the most that their gas may cost and the dearest data fee of the day.
    """
    if limits.max_gas_per_day is None:
        return ""
    rows = session.exec(
        select(Transaction).where(
            Transaction.chain == chain,
            Transaction.sender == sender,
            Transaction.created_at > now() - timedelta(seconds=DAY_SECONDS),
            col(Transaction.state).in_((*LIVE, TransactionState.FINAL)),
        )
    ).all()
    counted = [row for row in rows if row.id != instead_of]
    data = max((row.data_fee or 0 for row in counted), default=0)
    spent = sum(
        row.gas_limit * row.max_fee + data if (fee := fee_of(row)) is None else fee for row in counted
    )
    wei += data
    if spent + wei > limits.max_gas_per_day:
        return (
            f"gas of {spent} wei today and {wei} more exceed max_gas_per_day ({limits.max_gas_per_day} wei)"
        )
    return ""
