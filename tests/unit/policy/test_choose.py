"""Choosing: top-ups first, then the best liquidation after gas; nothing promised twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from keeper.model.plan import NATIVE, Blocked, Kind, Plan, Spend
from keeper.policy.choose import Candidate, choose
from keeper.policy.costs import Budget, Costs, Spending

pytestmark = pytest.mark.unit

TOKEN = "0xtoken"
FREE = Costs(gas_price=0, native=None, min_profit=0)


def request(
    name: str, kind: Kind, *, wants: int, gain: int = 0, health: int = 1, budget: int | None = None
) -> Candidate:
    def plan(funds: Mapping[str, int]) -> list[Plan] | Blocked:
        amount = min(wants, funds.get(TOKEN, 0))
        if not amount:
            return Blocked("no money")
        return [
            Plan(
                market="m",
                account=name,
                kind=kind,
                action=kind,
                target="0x",
                data="0x",
                spend=Spend(TOKEN, "0x", amount),
                spend_base=amount,
                gain_base=gain * amount // wants,
                gas=100,
                summary={},
            )
        ]

    return Candidate("m", name, kind, health, [] if budget is None else [Budget(budget, Spending())], plan)


def outcomes(
    requests: list[Candidate], funds: int, costs: Costs = FREE, native: int = 10**18
) -> list[tuple[str, int]]:
    decided = choose(requests, {TOKEN: funds, NATIVE: native}, costs)
    return [(d.candidate.account, d.outcome.spend.amount) for d in decided if isinstance(d.outcome, Plan)]


def test_top_ups_come_first_and_the_lowest_health_among_them() -> None:
    asked = [
        request("liquidation", "liquidate", wants=10, gain=100),
        request("well", "top_up", wants=10, health=105),
        request("ill", "top_up", wants=10, health=101),
    ]
    assert [name for name, _ in outcomes(asked, 100)] == ["ill", "well", "liquidation"]


def test_the_most_valuable_liquidation_comes_first_when_money_is_short() -> None:
    asked = [
        request("small", "liquidate", wants=10, gain=5),
        request("large", "liquidate", wants=10, gain=50),
    ]
    assert outcomes(asked, 12) == [("large", 10), ("small", 2)]


def test_the_same_money_is_never_promised_twice() -> None:
    asked = [request(str(n), "liquidate", wants=10, gain=1) for n in range(5)]
    assert sum(amount for _, amount in outcomes(asked, 25)) == 25


def test_gas_is_paid_before_profit_counts() -> None:
    dear = Costs(gas_price=10**16, native=100, min_profit=0)
    asked = [
        request("poor", "liquidate", wants=10, gain=99),
        request("rich", "liquidate", wants=10, gain=101),
    ]
    assert [name for name, _ in outcomes(asked, 100, dear, native=10**19)] == ["rich"]


def test_without_gas_money_nothing_is_planned() -> None:
    dear = Costs(gas_price=10**9, native=0, min_profit=0)
    assert outcomes([request("a", "top_up", wants=1)], 10, dear, native=10**10) == []


def chore(gas_budget: int) -> Candidate:
    plan = Plan(
        *("m", "market", "settle", "settle board", "0x", "0x"),
        *(Spend("", "", 0), 0, 0, 100, {}),
        gas_budget=gas_budget,
    )
    return Candidate("m", "market", "settle", 0, (), lambda _: [plan], chore=True)


def test_what_nobody_pays_for_comes_last_out_of_what_is_no_reserve_and_in_its_own_budget() -> None:
    paid, whole = request("paid", "liquidate", wants=10, gain=50), 200 * 10**9
    costs = Costs(gas_price=10**9, native=1, min_profit=0)

    def done(budget: int, native: int, costs: Costs = costs) -> list[str]:
        return [name for name, _ in outcomes([chore(budget), paid], 10, costs, native)]

    assert done(whole, whole) == ["paid", "market"]
    assert done(whole, whole - 1) == ["paid"], "what earns has the money first"
    assert done(10**11 - 1, whole) == ["paid"], "not within its budget"
    assert done(whole, whole, replace(costs, gas_reserve=1)) == ["paid"], "a reserve is not touched"
    [only] = choose([chore(10**11 + 7)], {NATIVE: whole}, replace(costs, data_fee=7))
    assert isinstance(only.outcome, Plan) and only.outcome.gas_budget == 10**11


def test_a_liquidation_over_the_account_s_cap_is_not_made() -> None:
    assert outcomes([request("a", "liquidate", wants=10, gain=5, budget=9)], 100) == []


def test_a_kind_that_nobody_knows_is_an_error_and_no_silence() -> None:
    unknown = Candidate("m", "a", "flag", 1, [], lambda _: Blocked(""))
    with pytest.raises(ValueError, match="flag"):
        choose([unknown], {}, FREE)
