"""Top-ups, from exact sizes to complete plans: calldata, what is spent, what must hold afterwards."""

from __future__ import annotations

from dataclasses import replace

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.margin.lending.aave import health, topup
from keeper.margin.lending.aave.caps import supply_room
from keeper.margin.lending.aave.health import Accrued, AccruedMarket
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.model.cure import CureRequest, action_words
from keeper.model.offer import Asset
from keeper.model.plan import Blocked, Check
from keeper.protocols.aave_v3 import calls, owner_money
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.permissions import repay_closed, supply_closed
from keeper.protocols.cures import Cure

# Interest eats into the room below a supply cap until inclusion; this many seconds are allowed for.
GRACE = 120
TOP_UP_GAS = 300_000


def default_steps(raw: AccountState, state: MarketState) -> list[Step]:
    """Repay each debt, then supply each collateral in use."""
    repay = [
        Step(action="repay", asset=state.reserves[p.reserve_id].asset)
        for p in raw.positions
        if p.scaled_debt or p.stable_principal
    ]
    supply = [
        Step(action="add_collateral", asset=state.reserves[p.reserve_id].asset)
        for p in raw.positions
        if raw.uses_as_collateral(p.reserve_id)
    ]
    return repay + supply


def cure(
    pool: str, state: PoolState, raw: AccountState, request: CureRequest, step: Step, asset: Asset
) -> Cure | Blocked:
    """The cure of a step, of exact size."""
    now, later = state.at(request.timestamp), state.at(request.timestamp + GRACE)
    accrued = next(each for each in now.reserves.values() if each.reserve.asset == asset.token)
    amount, mode = _needed(step, raw, now, accrued, request)
    if isinstance(amount, Blocked):
        return amount
    unsized, before = unsized_cure(pool, request, step, asset, mode), health.account_data(raw, now).health

    def reached(units: int) -> int:
        return health.account_data(_after(step, raw, now, accrued, units, mode), now).health

    def check(units: int, health_after: int) -> Check:
        target = request.target
        return unsized.check(units, target - target // 10_000 if health_after >= target else before + 1)

    supplies = step.action == "add_collateral"
    return replace(
        unsized,
        needed=amount,
        health=reached,
        check=check,
        room=supply_room(later.reserves[accrued.reserve.id], later) if supplies else None,
        full="the supply cap is reached",
    )


def unsized_cure(pool: str, request: CureRequest, step: Step, asset: Asset, mode: int) -> Cure:
    """A call on the pool, or on the owner's contract where their money is spent, whose resulting health only
    the contract's own view can answer: the check afterwards asks for that health."""
    view, owner = calls.account_data(pool, request.account), request.owner
    return Cure(
        step,
        asset,
        needed=0,
        health=lambda units: 0,
        target=owner.contract if owner else pool,
        data=lambda units: _call(request, step, asset.token, units, mode),
        gas=TOP_UP_GAS + (owner_money.GAS if owner else 0),
        errors=owner_money.ERRORS if owner else calls.ERRORS,
        check=lambda units, floor: Check(view.target, "0x" + view.data.hex(), calls.HEALTH_WORD, floor),
    )


def _needed(
    step: Step,
    raw: AccountState,
    now: AccruedMarket,
    accrued: Accrued,
    request: CureRequest,
) -> tuple[int | Blocked, int]:
    """Token units this step needs (all it can take if that is not enough), and the rate mode."""
    reserve_id, purse, target = accrued.reserve.id, request.purse, request.target
    name = purse.symbol(accrued.reserve.asset)
    closed = (supply_closed if step.action == "add_collateral" else repay_closed)(accrued.reserve)
    if closed:
        return Blocked(f"{action_words(step.action)} {name}: {closed}"), 0
    if step.action == "add_collateral":
        held = purse.idle_collateral.get((request.account, accrued.reserve.asset), 0)
        if not topup.accepts_supply(raw, now, reserve_id, held):
            return Blocked(f"add collateral {name}: the account does not use it as collateral"), 0
        amount = topup.minimal_supply(raw, now, reserve_id, target)
        return amount if amount is not None else Blocked(f"add collateral {name}: would not help"), 0
    position = raw.position(reserve_id)
    stable = bool(position.stable_principal) and not position.scaled_debt
    mode = calls.STABLE if stable else calls.VARIABLE
    owed = (
        health.stable_owed(position, now)
        if stable
        else now.rules.owed(position.scaled_debt, accrued.debt_index)
    )
    if not owed:
        return Blocked(f"repay {name}: the account owes none"), mode
    amount = topup.minimal_repay(raw, now, reserve_id, target, stable=stable)
    return (owed if amount is None else amount), mode


def _after(
    step: Step, raw: AccountState, now: AccruedMarket, accrued: Accrued, amount: int, mode: int
) -> AccountState:
    if step.action == "add_collateral":
        return topup.after_supply(raw, now, accrued.reserve.id, amount)
    return topup.after_repay(raw, now, accrued.reserve.id, amount, stable=mode == calls.STABLE)


def _call(request: CureRequest, step: Step, asset: str, amount: int, mode: int) -> bytes:
    """The pool's own function for the keeper's money, our contract's for the owner's."""
    account, owner, supplies = request.account, request.owner, step.action == "add_collateral"
    if owner is None:
        if supplies:
            return encoded(calls.SUPPLY, asset, amount, account, 0)
        return encoded(calls.REPAY, asset, amount, mode, account)
    if supplies:
        data = encoded(owner_money.SUPPLY, account, asset, amount)
    else:
        data = encoded(owner_money.REPAY, account, asset, amount, mode)
    signed = owner.permits.get(asset)
    return owner_money.with_permit(account, asset, signed, data) if signed else data
