"""Top-ups of any amount, for a pool whose arithmetic we do not know: the contract itself says what they do.

Only what no version has changed is used: the functions and their arguments, `getUserAccountData`, prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from keeper.margin.lending.aave.fixed import mul_div_ceil
from keeper.margin.lending.aave.state import AccountState, MarketState, Reserve
from keeper.model.blocked import Blocked
from keeper.model.cure import OwnerFunds, Step, Unsized, action_words
from keeper.model.format import format_amount
from keeper.model.plan import Check, Plan, Spend
from keeper.model.purse import Purse
from keeper.protocols.aave_v3 import calls, owner_money
from keeper.protocols.aave_v3.permissions import repay_closed, supply_closed
from keeper.protocols.aave_v3.planning import ERRORS, TOP_UP_GAS, call_for, default_steps


def top_ups(
    market: str,
    pool: str,
    state: MarketState,
    account: str,
    raw: AccountState,
    facts: Purse,
    funds: Mapping[str, int],
    steps: Sequence[Step],
    budget_base: int,
    owner: OwnerFunds | None,
) -> list[Unsized | Blocked]:
    """The steps in their order; supplying is left to assets the account uses as collateral already."""
    found: list[Unsized | Blocked] = []
    for step in steps or default_steps(raw, state):
        reserve = _reserve(state, step.asset, facts)
        if reserve is None:
            found.append(Blocked(f"{step.asset} is not in this market"))
            continue
        name = f"{action_words(step.action)} {facts.symbol(reserve.asset)}"
        closed = (supply_closed if step.action == "add_collateral" else repay_closed)(reserve)
        if step.action == "add_collateral" and not raw.uses_as_collateral(reserve.id):
            closed = closed or "the account does not use it as collateral"
        affordable = budget_base * reserve.unit // reserve.price if reserve.price else 0
        payable = (funds if owner is None else owner.available).get(reserve.asset, 0)
        if closed:
            found.append(Blocked(f"{name}: {closed}"))
        elif not min(affordable, payable):
            nothing = owner.why[reserve.asset] if owner else "none to pay with"
            found.append(Blocked(f"{name}: {nothing if affordable else 'the cap is used up'}"))
        else:
            plan = partial(_plan, market, pool, account, step, reserve, facts, owner)
            found.append(Unsized(name, min(affordable, payable), plan))
    return found


def _reserve(state: MarketState, asset: str, facts: Purse) -> Reserve | None:
    """The reserve of a symbol or address; None when there is none, or when two share the symbol."""
    wanted = asset.lower()
    matching = [r for r in state.reserves.values() if wanted in (r.asset, facts.symbol(r.asset).lower())]
    return matching[0] if len(matching) == 1 else None


def _plan(
    market: str,
    pool: str,
    account: str,
    step: Step,
    reserve: Reserve,
    facts: Purse,
    owner: OwnerFunds | None,
    amount: int,
    floor: int,
) -> Plan:
    check, symbol = calls.account_data(pool, account), facts.symbol(reserve.asset)
    data = call_for(account, step, reserve.asset, amount, calls.VARIABLE, owner)
    return Plan(
        market=market,
        account=account,
        kind="top_up",
        action=step.action,
        target=owner.contract if owner else pool,
        data="0x" + data.hex(),
        spend=Spend(reserve.asset, "" if owner else pool, amount),
        spend_base=mul_div_ceil(amount, reserve.price, reserve.unit),
        gain_base=0,
        gas=TOP_UP_GAS + (owner_money.GAS if owner else 0),
        summary={
            action_words(step.action): f"{format_amount(amount, reserve.decimals)} {symbol}",
            "sized": "by the contract's own view",
        },
        postcondition=Check(check.target, "0x" + check.data.hex(), calls.HEALTH_WORD, floor),
        errors=owner_money.ERRORS if owner else ERRORS,
        sized_by_contract=True,
    )
