"""From exact sizes to complete plans: calldata, what is spent, what must hold afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keeper.margin.lending.aave import health, liquidation, topup
from keeper.margin.lending.aave.fixed import mul_div_ceil
from keeper.margin.lending.aave.health import Accrued, AccruedMarket
from keeper.margin.lending.aave.liquidation import Liquidation
from keeper.margin.lending.aave.rules import Rules
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.plan import Check, Plan, Spend, Trade
from keeper.protocols.aave_v3 import calls
from keeper.protocols.base import Facts, Impossible, Step

# Whole debts grow until the block that includes the call; this many seconds of interest are allowed for.
GRACE = 120
LIQUIDATION_GAS = 500_000
TOP_UP_GAS = 300_000
ERRORS = "aave_v3_errors"
# A step that funds or cap allow only in part is taken if it covers at least this fraction of the need.
SMALLEST_PART = 20


def liquidations(
    market: str,
    pool: str,
    state: MarketState,
    rules: Rules,
    account: str,
    raw: AccountState,
    timestamp: int,
    facts: Facts,
    funds: Mapping[str, int],
) -> list[Plan] | Impossible:
    """Plans for every pair that funds and the version's rules allow at `timestamp`, best gain first."""
    now = health.accrue(state, timestamp, rules)
    later = health.accrue(state, timestamp + GRACE, rules)
    if health.account_data(raw, now).health >= health.WAD:
        return Impossible("health is back above 1")
    budgets = {i: funds.get(r.asset, 0) for i, r in state.reserves.items()}
    found = [
        each
        for each in liquidation.options(raw, now, budgets)
        if each.outcome.received <= each.pair.collateral.reserve.available_liquidity
    ]
    if found:
        return [_liquidation(market, pool, account, raw, each, later, facts, funds) for each in found]
    open_to_anyone = liquidation.options(raw, now)
    if not open_to_anyone:
        return Impossible("no pair of collateral and debt can be liquidated")
    wanted = ", ".join(sorted({facts.symbol(each.pair.debt.reserve.asset) for each in open_to_anyone}))
    return Impossible(f"the signer holds too little of what could be repaid ({wanted})")


def _liquidation(
    market: str,
    pool: str,
    account: str,
    raw: AccountState,
    chosen: Liquidation,
    later: AccruedMarket,
    facts: Facts,
    funds: Mapping[str, int],
) -> Plan:
    pair, result = chosen.pair, chosen.outcome
    collateral, debt = pair.collateral.reserve, pair.debt.reserve
    cover = result.repaid
    if chosen.clears_debt or result.takes_all:
        cover = min(_grown(raw, chosen, later), funds[debt.asset])
    repaid_base = mul_div_ceil(cover, debt.price, debt.unit)
    return Plan(
        market=market,
        account=account,
        kind="liquidate",
        action="liquidate",
        target=pool,
        data="0x" + calls.liquidation_call(collateral.asset, debt.asset, account, cover).hex(),
        spend=Spend(debt.asset, pool, cover),
        spend_base=repaid_base,
        gain_base=chosen.gain,
        gas=LIQUIDATION_GAS,
        summary={
            "repay": f"{_units(result.repaid, debt.decimals)} {facts.symbol(debt.asset)}",
            "receive": f"{_units(result.received, collateral.decimals)} {facts.symbol(collateral.asset)}",
        },
        errors=ERRORS,
        trade=_trade(pair, result),
    )


def _trade(pair: liquidation.Pair, result: liquidation.Outcome) -> Trade:
    """The same two values whose difference `liquidation.gain` is."""
    collateral, debt = pair.collateral, pair.debt
    return Trade(
        pays=debt.reserve.asset.lower(),
        pays_base=mul_div_ceil(result.repaid, debt.price, debt.unit),
        gets=collateral.reserve.asset.lower(),
        gets_base=result.received * collateral.price // collateral.unit,
    )


def _grown(raw: AccountState, chosen: Liquidation, later: AccruedMarket) -> int:
    """What the same whole-position liquidation repays if it is included a little later."""
    for pair in liquidation.pairs(raw, later):
        same_debt = pair.debt.reserve.id == chosen.pair.debt.reserve.id
        if same_debt and pair.collateral.reserve.id == chosen.pair.collateral.reserve.id:
            grown = liquidation.outcome(pair, pair.max_debt, later)
            enough = liquidation.cover_for_all_collateral(pair) if grown.takes_all else grown.repaid
            return max(min(enough, pair.max_debt), chosen.outcome.repaid)
    return chosen.outcome.repaid


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
) -> Plan | Impossible:
    """The first step that reaches `target` alone; else the first that helps; else why none does."""
    now = health.accrue(state, timestamp, rules)
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
        amount = min(needed, funds.get(asset, 0), affordable)
        if amount <= 0:
            short = "the day's cap is used up" if affordable == 0 else f"no {facts.symbol(asset)} to pay with"
            reasons.append(f"{step.action} {facts.symbol(asset)}: {short}")
            continue
        if amount * SMALLEST_PART < needed:
            reasons.append(f"{step.action} {facts.symbol(asset)}: too little is left today to be worth it")
            continue
        after = _after(step, raw, now, accrued, amount, mode)
        reached = health.account_data(after, now).health
        if reached <= before:
            reasons.append(f"{step.action} {facts.symbol(asset)}: the amount at hand changes nothing")
            continue
        floor = target - target // 10_000 if reached >= target else before + 1
        plan = _top_up(market, pool, account, step, accrued, amount, mode, floor, reached, facts)
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
    if step.action == "supply":
        held = facts.held.get((account, accrued.reserve.asset), 0)
        if not topup.accepts_supply(raw, now, reserve_id, held):
            return Impossible(f"supply {name}: the account does not use it as collateral"), 0
        amount = topup.minimal_supply(raw, now, reserve_id, target)
        return amount if amount is not None else Impossible(f"supply {name}: would not help"), 0
    if accrued.reserve.paused or not accrued.reserve.active:
        return Impossible(f"repay {name}: the reserve is paused"), 0
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
) -> Plan:
    asset = accrued.reserve.asset
    data = (
        calls.supply(asset, amount, account)
        if step.action == "supply"
        else calls.repay(asset, amount, mode, account)
    )
    check = calls.account_data(pool, account)
    return Plan(
        market=market,
        account=account,
        kind="top_up",
        action=step.action,
        target=pool,
        data="0x" + data.hex(),
        spend=Spend(asset, pool, amount),
        spend_base=mul_div_ceil(amount, accrued.price, accrued.unit),
        gain_base=0,
        gas=TOP_UP_GAS,
        summary={
            step.action: f"{_units(amount, accrued.reserve.decimals)} {facts.symbol(asset)}",
            "health_after": str(reached),
        },
        postcondition=Check(check.target, "0x" + check.data.hex(), calls.HEALTH_WORD, floor),
        errors=ERRORS,
    )


def _units(amount: int, decimals: int) -> str:
    """Token units as a decimal number, exactly."""
    whole, rest = divmod(amount, 10**decimals)
    digits = str(rest).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{whole}.{digits}" if digits else str(whole)


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
