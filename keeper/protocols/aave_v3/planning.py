"""Top-ups, from exact sizes to complete plans: calldata, what is spent, what must hold afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keeper.margin.lending.aave import health, topup
from keeper.margin.lending.aave.caps import supply_room
from keeper.margin.lending.aave.fixed import mul_div_ceil
from keeper.margin.lending.aave.health import Accrued, AccruedMarket
from keeper.margin.lending.aave.rules import Rules
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.plan import Check, Plan, Spend
from keeper.protocols.aave_v3 import calls, owner_money
from keeper.protocols.aave_v3.permissions import repay_closed, supply_closed
from keeper.protocols.amounts import units
from keeper.protocols.base import Facts, Impossible, OwnerFunds, Step

# Interest eats into the room below a supply cap until inclusion; this many seconds are allowed for.
GRACE = 120
TOP_UP_GAS = 300_000
ERRORS = "aave_v3_errors"
# A step that funds or cap allow only in part is taken if it covers at least this fraction of the need.
SMALLEST_PART = 20


def top_up(
    market: str,
    pool: str,
    state: MarketState,
    rules: Rules,
    account: str,
    raw: AccountState,
    timestamp: int,
    facts: Facts,
    funds: Mapping[str, int],
    steps: Sequence[Step],
    target: int,
    budget_base: int,
    owner: OwnerFunds | None = None,
) -> Plan | Impossible:
    """The first step that reaches `target` alone; else the first that helps; else why none does."""
    payable = funds if owner is None else owner.available
    now = health.accrue(state, timestamp, rules)
    later = health.accrue(state, timestamp + GRACE, rules)
    before = health.account_data(raw, now).health
    partial: Plan | None = None
    reasons: list[str] = []
    for step in steps or default_steps(raw, state):
        accrued = _reserve(now, step.asset, facts)
        if accrued is None:
            reasons.append(f"{step.asset} is not in this market")
            continue
        needed, mode = _needed(step, raw, now, accrued, account, facts, target)
        if isinstance(needed, Impossible):
            reasons.append(needed.reason)
            continue
        asset = accrued.reserve.asset
        affordable = budget_base * accrued.unit // accrued.price if accrued.price else 0
        amount = min(needed, payable.get(asset, 0), affordable)
        if amount <= 0:
            nothing = owner.why[asset] if owner else f"no {facts.symbol(asset)} to pay with"
            short = "the day's cap is used up" if affordable == 0 else nothing
            reasons.append(f"{step.action} {facts.symbol(asset)}: {short}")
            continue
        room = supply_room(later.reserves[accrued.reserve.id], later) if step.action == "supply" else None
        if room is not None and room < amount:
            if room * SMALLEST_PART < needed:
                reasons.append(f"supply {facts.symbol(asset)}: the supply cap is reached")
                continue
            amount = room
        if amount * SMALLEST_PART < needed:
            reasons.append(f"{step.action} {facts.symbol(asset)}: too little is left today to be worth it")
            continue
        after = _after(step, raw, now, accrued, amount, mode)
        reached = health.account_data(after, now).health
        if reached <= before:
            reasons.append(f"{step.action} {facts.symbol(asset)}: the amount at hand changes nothing")
            continue
        floor = target - target // 10_000 if reached >= target else before + 1
        plan = _top_up(market, pool, account, step, accrued, amount, mode, floor, reached, facts, owner)
        if reached >= target:
            return plan
        partial = partial or plan
    if partial is not None:
        return partial
    return Impossible("; ".join(reasons) or "the account has neither debt nor collateral to work with")


def default_steps(raw: AccountState, state: MarketState) -> list[Step]:
    """Repay each debt, then supply each collateral in use."""
    repay = [
        Step("repay", state.reserves[p.reserve_id].asset)
        for p in raw.positions
        if p.scaled_debt or p.stable_principal
    ]
    supply = [
        Step("supply", state.reserves[p.reserve_id].asset)
        for p in raw.positions
        if raw.uses_as_collateral(p.reserve_id)
    ]
    return repay + supply


def _reserve(market: AccruedMarket, asset: str, facts: Facts) -> Accrued | None:
    """The reserve of a symbol or address; None when there is none, or when two share the symbol."""
    wanted = asset.lower()
    matching = [
        each
        for each in market.reserves.values()
        if wanted in (each.reserve.asset, facts.symbol(each.reserve.asset).lower())
    ]
    return matching[0] if len(matching) == 1 else None


def _needed(
    step: Step,
    raw: AccountState,
    now: AccruedMarket,
    accrued: Accrued,
    account: str,
    facts: Facts,
    target: int,
) -> tuple[int | Impossible, int]:
    """Token units this step needs (all it can take if that is not enough), and the rate mode."""
    reserve_id, name = accrued.reserve.id, facts.symbol(accrued.reserve.asset)
    closed = (supply_closed if step.action == "supply" else repay_closed)(accrued.reserve)
    if closed:
        return Impossible(f"{step.action} {name}: {closed}"), 0
    if step.action == "supply":
        held = facts.held.get((account, accrued.reserve.asset), 0)
        if not topup.accepts_supply(raw, now, reserve_id, held):
            return Impossible(f"supply {name}: the account does not use it as collateral"), 0
        amount = topup.minimal_supply(raw, now, reserve_id, target)
        return amount if amount is not None else Impossible(f"supply {name}: would not help"), 0
    position = raw.position(reserve_id)
    stable = bool(position.stable_principal) and not position.scaled_debt
    mode = calls.STABLE if stable else calls.VARIABLE
    owed = (
        health.stable_owed(position, now)
        if stable
        else now.rules.owed(position.scaled_debt, accrued.debt_index)
    )
    if not owed:
        return Impossible(f"repay {name}: the account owes none"), mode
    amount = topup.minimal_repay(raw, now, reserve_id, target, stable=stable)
    return (owed if amount is None else amount), mode


def _after(
    step: Step, raw: AccountState, now: AccruedMarket, accrued: Accrued, amount: int, mode: int
) -> AccountState:
    if step.action == "supply":
        return topup.after_supply(raw, now, accrued.reserve.id, amount)
    return topup.after_repay(raw, now, accrued.reserve.id, amount, stable=mode == calls.STABLE)


def _top_up(
    market: str,
    pool: str,
    account: str,
    step: Step,
    accrued: Accrued,
    amount: int,
    mode: int,
    floor: int,
    reached: int,
    facts: Facts,
    owner: OwnerFunds | None,
) -> Plan:
    asset = accrued.reserve.asset
    data = call_for(account, step, asset, amount, mode, owner)
    check = calls.account_data(pool, account)
    return Plan(
        market=market,
        account=account,
        kind="top_up",
        action=step.action,
        target=owner.contract if owner else pool,
        data="0x" + data.hex(),
        spend=Spend(asset, "" if owner else pool, amount),
        spend_base=mul_div_ceil(amount, accrued.price, accrued.unit),
        gain_base=0,
        gas=TOP_UP_GAS + (owner_money.GAS if owner else 0),
        summary={
            step.action: f"{units(amount, accrued.reserve.decimals)} {facts.symbol(asset)}",
            "health_after": str(reached),
        },
        postcondition=Check(check.target, "0x" + check.data.hex(), calls.HEALTH_WORD, floor),
        errors=owner_money.ERRORS if owner else ERRORS,
    )


def call_for(account: str, step: Step, asset: str, amount: int, mode: int, owner: OwnerFunds | None) -> bytes:
    """The pool's own function for the keeper's money, our contract's for the owner's."""
    if owner is None:
        if step.action == "supply":
            return calls.supply(asset, amount, account)
        return calls.repay(asset, amount, mode, account)
    data = (
        owner_money.supply(account, asset, amount)
        if step.action == "supply"
        else owner_money.repay(account, asset, amount, mode)
    )
    signed = owner.permits.get(asset)
    return owner_money.with_permit(account, asset, signed, data) if signed else data


def unused_collateral(
    state: MarketState, accounts: Iterable[tuple[str, AccountState]]
) -> list[tuple[str, str, str]]:
    """(account, asset, aToken) whose balance the account's bitmap does not show."""
    return [
        (account, reserve.asset, reserve.a_token)
        for account, raw in accounts
        for reserve in state.reserves.values()
        if not raw.uses_as_collateral(reserve.id)
    ]
