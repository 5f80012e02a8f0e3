"""What a transaction may pay for gas so that its plans still earn what was asked of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.execution import batching
from keeper.plan import Plan


def most_a_gas(plans: Sequence[Plan], ceiling: int) -> int:
    """Wei a unit of gas, at most `ceiling`: however long a bid is raised and whatever the base fee does, and
    also where of the plans that were to share a transaction only these are left."""
    budgets = [plan.gas_budget for plan in plans if plan.gas_budget is not None]
    if not budgets or len(budgets) < len(plans):
        return ceiling
    gas = plans[0].gas if len(plans) == 1 else batching.gas_of(plans)
    return min(max(sum(budgets) // max(gas, 1), 0), ceiling)
