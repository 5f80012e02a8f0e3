"""Alone or together: what share of gas each liquidation is charged, against trying every set."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import pytest

from keeper.model.plan import NATIVE, BatchItem, Blocked, Plan, Spend
from keeper.policy.choose import Candidate, choose
from keeper.policy.costs import Costs

pytestmark = pytest.mark.unit

WAD = 10**18
BASE, EACH = 300_000, 100_000
# A unit of gas costs one base unit.
COSTS = Costs(gas_price=1, native=WAD, min_profit=0)


class Batches:
    """300,000 gas for a transaction and 100,000 for each in it; five fit."""

    def key(self, plan: Plan) -> Hashable | None:
        return plan.batch_item.profit_token if plan.batch_item else None

    def gas_of(self, plans: Sequence[Plan]) -> int:
        return BASE + EACH * len(plans)

    def fits(self, plans: Sequence[Plan]) -> bool:
        return len(plans) <= 5


def request(name: str, gain: int, token: str = "0xt", underwater: bool = False) -> Candidate:
    item = BatchItem("0xc", "0xp", ("0x",), token, 1, "0xg", 1, 0, None, "", "", token, gain, 0, EACH)
    found = Plan(
        "m",
        name,
        "liquidate",
        "liquidate",
        "0xc",
        "",
        Spend(token, "", 0),
        0,
        gain,
        BASE + EACH,
        {},
        batch_item=item,
    )

    def plan(_: Mapping[str, int]) -> list[Plan] | Blocked:
        return [found]

    return Candidate("m", name, "liquidate", 1, [], plan, underwater=underwater)


def chosen(requests: list[Candidate], costs: Costs = COSTS) -> list[str]:
    decided = choose(requests, {NATIVE: 10**20}, costs, Batches())
    return sorted(d.candidate.account for d in decided if isinstance(d.outcome, Plan))


def earned(gains: Sequence[int]) -> int:
    return sum(gains) - Batches().gas_of([None] * len(gains)) if gains else 0  # type: ignore[list-item]


@pytest.mark.parametrize("seed", range(40))
def test_no_other_set_earns_more(seed: int) -> None:
    dice = random.Random(seed)
    gains = [dice.randrange(20_000, 600_000) for _ in range(dice.randint(1, 5))]
    sets = [c for n in range(len(gains) + 1) for c in combinations(gains, n)]
    most = max(earned(each) for each in sets)
    got = [gains[int(name)] for name in chosen([request(str(i), gain) for i, gain in enumerate(gains)])]
    assert earned(got) == most


def test_what_does_not_pay_alone_is_done_together() -> None:
    assert chosen([request("a", 350_000)]) == []
    assert chosen([request("a", 350_000), request("b", 350_000)]) == ["a", "b"]
    assert chosen([request("a", 350_000), request("b", 350_000, token="0xu")]) == []


def test_who_would_not_pay_for_the_gas_it_adds_is_left_out() -> None:
    assert chosen([request("a", 900_000), request("b", 99_999)]) == ["a"]
    assert chosen([request("a", 900_000), request("b", 100_001)]) == ["a", "b"]


def test_a_full_transaction_is_followed_by_another_that_must_pay_for_itself() -> None:
    many = [request(f"{i}", 900_000) for i in range(5)]
    assert len(chosen([*many, request("z", 350_000)])) == 5
    assert len(chosen([*many, request("z", 450_000)])) == 6


def test_the_data_a_chain_charges_for_counts() -> None:
    charged = Costs(gas_price=1, native=WAD, min_profit=0, data_fee=50_000)
    assert chosen([request("a", 410_000)]) == ["a"]
    assert chosen([request("a", 410_000)], charged) == []
    assert chosen([request("a", 460_000)], charged) == ["a"]


def test_bad_debt_is_realized_at_a_loss_up_to_the_cap_and_only_where_there_is_some() -> None:
    allowed = Costs(gas_price=1, native=WAD, min_profit=1_000, max_loss=50_000)
    assert chosen([request("a", 360_000, underwater=True)]) == []
    assert chosen([request("a", 360_000, underwater=True)], allowed) == ["a"]
    assert chosen([request("a", 349_000, underwater=True)], allowed) == []
    assert chosen([request("a", 360_000)], allowed) == []


def test_each_is_asked_on_chain_for_its_share_of_the_costs() -> None:
    decided = choose([request("a", 900_000), request("b", 150_000)], {NATIVE: 10**20}, COSTS, Batches())
    asked = {d.candidate.account: d.outcome.batch_item for d in decided if isinstance(d.outcome, Plan)}
    assert asked["a"] is not None and asked["a"].min_profit == 450_000
    assert asked["b"] is not None and asked["b"].min_profit == 100_000
