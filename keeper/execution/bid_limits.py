"""Limits of a bid: the most that a transaction may pay for gas, and what it must earn on chain for it.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keeper.chain.fees import TooDearError
from keeper.execution import batch_gas, batches
from keeper.execution.rehearsal import Action, Rehearsal, without_margin
from keeper.model.plan import KEPT_PERCENT, Plan

SLACK_PERCENT = 2
"""Percent of the expected profit that no bid takes, so that the profit asked for on chain can still be had
after a price, or a second of interest, has moved a little."""


def max_fee_per_gas(plans: Sequence[Plan], ceiling: int, used: int = 0) -> int:
    """Wei per gas that these plans bear, at most `ceiling`: however long a bid is raised and whatever the
    base fee does, and also where only these are left of the plans that shared a transaction. `used` is the
    gas that a rehearsal measured for all of them; planned gas was an estimate."""
    budgets = [plan.gas_budget for plan in plans if plan.gas_budget is not None]
    if not budgets or len(budgets) < len(plans):
        return ceiling
    slack = sum(_slack(plan) for plan in plans)
    return min(max((sum(budgets) - slack) // max(_expected_gas(plans), used, 1), 0), ceiling)


def bidding(rehearsal: Rehearsal, plans: Sequence[Plan], max_fee: int) -> Rehearsal:
    """The rehearsed actions as they must be sent at a bid. TooDearError where they cannot earn their cost."""
    used, limit = sum(rehearsal.used), sum(rehearsal.gas)
    wanted, gain = _wanted(plans, max(_expected_gas(plans), used) * max_fee)
    if gain is not None and wanted > gain:
        raise TooDearError(
            f"gas and what is asked for come to {wanted} wei, and it gains no more than {gain}"
        )
    actions = [at_bid(action, plans, limit, max_fee, used=used) for action in rehearsal.actions]
    return replace(rehearsal, actions=tuple(actions))


def measured(gas_limit: int, carried: int) -> int:
    """The gas that a rehearsal measured for an action with this limit that carries so many plans."""
    return batch_gas.within(gas_limit) if carried > 1 else without_margin(gas_limit)


def at_bid(
    action: Action,
    plans: Sequence[Plan],
    gas_limit: int,
    max_fee: int,
    ended: Sequence[Plan] = (),
    used: int = 0,
) -> Action:
    """The action of these plans as it must be sent at a bid: the profit it asks for on chain covers the gas
    that it may cost (`used` by rehearsal). `ended` are carried along, and no earnings of theirs count."""
    if action.purpose != "act" or not plans or any(each.batch_item is None for each in (*plans, *ended)):
        return action
    expected = max(_expected_gas(plans), used)
    asking = asked(plans, expected * max_fee, gas_limit * max_fee)
    return replace(action, data=batches.combine([*asking, *ended]).data)


def asked(plans: Sequence[Plan], gas_cost: int, most_cost: int = 0) -> list[Plan]:
    """The plans with the least profit that covers `gas_cost` (wei) and what each had to earn besides, spread
    in proportion to their expected earnings. It also covers `most_cost` (the whole limit used) as far as the
    profit allows. Never less than `KEPT_PERCENT` of a profit, nor more than all of it."""
    wanted, gain = _wanted(plans, gas_cost)
    if gain is None:
        return list(plans)
    spared = gain - sum(_slack(each) for each in plans)
    wanted = max(wanted, min(wanted - gas_cost + most_cost, spared), 0)
    return [_asking(each, wanted, gain) for each in plans]


def _wanted(plans: Sequence[Plan], gas_cost: int) -> tuple[int, int | None]:
    """Wei that these plans must earn together to pay for `gas_cost` and what was asked of each besides, and
    wei that they are expected to earn; None where either is not known of each."""
    known = [(each.gain_wei, each.gas_budget) for each in plans]
    gain = sum(gain or 0 for gain, _ in known)
    if gain <= 0 or any(gain is None or budget is None for gain, budget in known):
        return gas_cost, None
    return gas_cost + sum((gain or 0) - (budget or 0) for gain, budget in known), gain


def _asking(plan: Plan, part: int, whole: int) -> Plan:
    item = plan.batch_item
    if item is None:
        return plan
    least = max(-(-item.profit * part // whole), item.profit * KEPT_PERCENT // 100)
    return replace(plan, batch_item=replace(item, min_profit=min(least, item.profit)))


def _slack(plan: Plan) -> int:
    """Wei of the expected gain that no bid takes."""
    return max(plan.gain_wei or 0, 0) * SLACK_PERCENT // 100 if plan.batch_item is not None else 0


def _expected_gas(plans: Sequence[Plan]) -> int:
    return plans[0].gas if len(plans) == 1 else batches.gas_of(plans)
