"""Top-ups, from exact sizes to complete plans: calldata, what is spent, what must hold afterwards."""

from __future__ import annotations

from keeper.margin.lending.aave import health, topup
from keeper.margin.lending.aave.caps import supply_room
from keeper.margin.lending.aave.health import Accrued, AccruedMarket
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.model.blocked import Blocked
from keeper.model.cure import Action, OwnerFunds, Step, action_words
from keeper.model.offer import Asset
from keeper.model.plan import Check
from keeper.model.purse import Purse
from keeper.protocols.aave_v3 import calls, offering, owner_money
from keeper.protocols.aave_v3.permissions import repay_closed, supply_closed
from keeper.protocols.cures import Cure, CureRequest

# Interest eats into the room below a supply cap until inclusion; this many seconds are allowed for.
GRACE = 120
TOP_UP_GAS = 300_000
ERRORS = "aave_v3_errors"


def takes(state: MarketState, facts: Purse) -> list[tuple[Action, Asset]]:
    """Every reserve can be supplied or repaid; whether the account has use for it is asked of each step."""
    listed = [offering.asset(reserve, facts) for reserve in state.reserves.values()]
    return [(action, each) for action in ("repay", "add_collateral") for each in listed]


def default_steps(raw: AccountState, state: MarketState) -> list[Step]:
    """Repay each debt, then supply each collateral in use."""
    repay = [
        Step("repay", state.reserves[p.reserve_id].asset)
        for p in raw.positions
        if p.scaled_debt or p.stable_principal
    ]
    supply = [
        Step("add_collateral", state.reserves[p.reserve_id].asset)
        for p in raw.positions
        if raw.uses_as_collateral(p.reserve_id)
    ]
    return repay + supply


def way(
    pool: str,
    raw: AccountState,
    now: AccruedMarket,
    later: AccruedMarket,
    wish: CureRequest,
    step: Step,
    asset: Asset,
) -> Cure | Blocked:
    """A call on the pool, or on the owner's contract where his money is spent. `later` is when it may be
    included: until then interest eats into the room below a supply cap."""
    accrued = next(each for each in now.reserves.values() if each.reserve.asset == asset.token)
    amount, mode = _needed(step, raw, now, accrued, wish)
    if isinstance(amount, Blocked):
        return amount
    supplies = step.action == "add_collateral"
    owner, before = wish.owner, health.account_data(raw, now).health
    view = calls.account_data(pool, wish.account)

    def reached(units: int) -> int:
        return health.account_data(_after(step, raw, now, accrued, units, mode), now).health

    def check(units: int, health_after: int) -> Check:
        target = wish.target
        floor = target - target // 10_000 if health_after >= target else before + 1
        return Check(view.target, "0x" + view.data.hex(), calls.HEALTH_WORD, floor)

    return Cure(
        step,
        asset,
        amount,
        reached,
        target=owner.contract if owner else pool,
        data=lambda units: call_for(wish.account, step, asset.token, units, mode, owner),
        gas=TOP_UP_GAS + (owner_money.GAS if owner else 0),
        errors=owner_money.ERRORS if owner else ERRORS,
        check=check,
        room=supply_room(later.reserves[accrued.reserve.id], later) if supplies else None,
        full="the supply cap is reached",
    )


def _needed(
    step: Step,
    raw: AccountState,
    now: AccruedMarket,
    accrued: Accrued,
    wish: CureRequest,
) -> tuple[int | Blocked, int]:
    """Token units this step needs (all it can take if that is not enough), and the rate mode."""
    reserve_id, facts, target = accrued.reserve.id, wish.facts, wish.target
    name = facts.symbol(accrued.reserve.asset)
    closed = (supply_closed if step.action == "add_collateral" else repay_closed)(accrued.reserve)
    if closed:
        return Blocked(f"{action_words(step.action)} {name}: {closed}"), 0
    if step.action == "add_collateral":
        held = facts.held.get((wish.account, accrued.reserve.asset), 0)
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


def call_for(account: str, step: Step, asset: str, amount: int, mode: int, owner: OwnerFunds | None) -> bytes:
    """The pool's own function for the keeper's money, our contract's for the owner's."""
    if owner is None:
        if step.action == "add_collateral":
            return calls.supply(asset, amount, account)
        return calls.repay(asset, amount, mode, account)
    data = (
        owner_money.supply(account, asset, amount)
        if step.action == "add_collateral"
        else owner_money.repay(account, asset, amount, mode)
    )
    signed = owner.permits.get(asset)
    return owner_money.with_permit(account, asset, signed, data) if signed else data
