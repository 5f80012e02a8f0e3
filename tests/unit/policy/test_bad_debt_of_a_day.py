"""Realizing bad debt has a limit of a day over all accounts: what may be lost is counted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keeper.model.plan import NATIVE, Blocked, Plan, Spend
from keeper.policy.choose import Candidate, choose
from keeper.policy.costs import Budget, Costs, Spending

pytestmark = pytest.mark.unit

LOSS = 40


def underwater(name: str, gain: int) -> Candidate:
    def plan(_: Mapping[str, int]) -> list[Plan] | Blocked:
        return [
            Plan(
                market="m",
                account=name,
                kind="liquidate",
                action="liquidate",
                target="0x",
                data="0x",
                spend=Spend("0xtoken", "", 0),
                spend_base=0,
                gain_base=gain,
                gas=10,
                summary={},
            )
        ]

    return Candidate("m", name, "liquidate", 1, [], plan, underwater=True)


def costs(*, a_day: int | None, lost: int = 0) -> Costs:
    """Ten units of gas cost 30; an account may lose 40, all of a day `a_day`."""
    losses = None if a_day is None else Budget(a_day, Spending(lost))
    return Costs(3, 10**18, min_profit=0, max_loss=LOSS, losses=losses)


def done(requests: list[Candidate], at: Costs) -> list[str]:
    decided = choose(requests, {NATIVE: 10**18}, at)
    return [d.candidate.account for d in decided if isinstance(d.outcome, Plan)]


def test_all_accounts_of_a_tick_share_the_days_losses() -> None:
    asked = [underwater(str(number), 0) for number in range(6)]
    assert len(done(asked, costs(a_day=None))) == 6
    at = costs(a_day=3 * LOSS + 29)
    assert len(done(asked, at)) == 3 and at.losses is not None
    assert at.losses.spending.spent == 3 * LOSS


def test_what_was_lost_before_today_ended_counts_too() -> None:
    assert done([underwater("a", 0)], costs(a_day=100, lost=80)) == []
    assert done([underwater("a", 0)], costs(a_day=100, lost=60)) == ["a"]


def test_what_earns_something_takes_nothing_of_the_days_losses() -> None:
    at = costs(a_day=0)
    assert done([underwater("a", 31)], at) == ["a"]
    assert at.losses is not None and at.losses.spending.spent == 0


def test_a_plan_says_what_it_may_lose() -> None:
    [decided] = choose([underwater("a", 0)], {NATIVE: 10**18}, costs(a_day=35))
    assert isinstance(decided.outcome, Plan) and decided.outcome.loss == 35
    assert Plan.from_json(decided.outcome.to_json()).loss == 35
