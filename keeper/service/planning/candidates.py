"""From a breach to what choosing compares, and the tokens it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keeper.model.plan import Blocked, Plan
from keeper.policy.choose import Candidate, Decision
from keeper.policy.costs import Budget
from keeper.service.planning.breach import Breach
from keeper.service.planning.contract_liquidations import seal


def traded_tokens(wanted: Sequence[Breach]) -> set[str]:
    """Every token that a liquidation could repay or seize."""
    return {
        asset
        for w in wanted
        if w.kind == "liquidate"
        for asset in (
            w.market.adapter.seller.sold_for(w.market.book.state)
            if w.sale and w.market.adapter.seller is not None
            else w.market.adapter.planner.liquidation_tokens(
                w.market.book.state, w.market.book.accounts[w.valuation.account]
            )
        )
    }


def sealed(decision: Decision) -> Decision:
    """The decision with its plan complete: target and calldata of the transaction that carries it out."""
    return decision if decision.plan is None else Decision(decision.candidate, seal(decision.plan))


def candidate_of(
    wanted: Breach,
    budgets: Sequence[Budget] = (),
    plan: Callable[[Mapping[str, int]], list[Plan] | Blocked] = lambda _: Blocked(""),
    reserve: Callable[[Plan], None] = lambda _: None,
) -> Candidate:
    valuation = wanted.valuation
    return Candidate(
        wanted.market.name,
        valuation.account,
        wanted.kind,
        valuation.health or 0,
        budgets,
        plan,
        reserve,
        underwater=valuation.net < 0,
        rate=wanted.market.rate,
    )
