"""From a breach to what choosing compares, and the tokens it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keeper.model.blocked import Blocked
from keeper.model.plan import Plan
from keeper.policy.choose import Budget, Candidate, Decision
from keeper.service.planning.breach import Breach
from keeper.service.planning.contract_liquidations import ready


def traded_tokens(wanted: list[Breach]) -> set[str]:
    """Every token that a liquidation could repay or seize."""
    return {
        asset
        for w in wanted
        if w.kind == "liquidate"
        for asset in (
            w.run.adapter.sold_for(w.run.book.state)
            if w.sale
            else w.run.adapter.liquidation_tokens(w.run.book.state, w.run.book.accounts[w.valuation.account])
        )
    }


def sealed(decision: Decision) -> Decision:
    if isinstance(decision.outcome, Blocked):
        return decision
    return Decision(decision.request, ready(decision.outcome))


def candidate_of(
    wanted: Breach,
    budgets: Sequence[Budget] = (),
    plan: Callable[[Mapping[str, int]], list[Plan] | Blocked] = lambda _: Blocked(""),
    taken: Callable[[Plan], None] = lambda _: None,
) -> Candidate:
    valuation = wanted.valuation
    return Candidate(
        wanted.run.name,
        valuation.account,
        wanted.kind,
        valuation.health or 0,
        budgets,
        plan,
        taken,
        underwater=valuation.net < 0,
        rate=wanted.run.rate,
    )
