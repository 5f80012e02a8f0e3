"""Without our contract the same money buys but once, and gas takes a small part of what buying may bring."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import NATIVE, Blocked, Plan, kept_of
from keeper.policy.choose import Candidate, Decision, choose
from keeper.policy.costs import Costs
from keeper.protocols import inventory

pytestmark = pytest.mark.unit

BASE, COIN = "0xba5e", "0xc01d"
WAD = 10**18
GAIN = 10 * WAD


def offer(top: int = 100) -> Offer:
    """To buy for up to `top` units of base what is worth a tenth more."""

    def deal(budget: int) -> Quote | None:
        return Quote(budget, budget, budget * 11 // 10, (b"\x01",)) if budget > 0 else None

    base, coin = (Asset(each, each, WAD, 1) for each in (BASE, COIN))
    return Offer(base, coin, "0xc03e7", (top,), deal, 10**5, taker="signer", later="absorb")


def request(name: str) -> Candidate:
    def plan(funds: Mapping[str, int]) -> list[Plan] | Blocked:
        return inventory.liquidations("m", name, [offer()], funds)

    return Candidate("m", name, "liquidate", 1, [], plan)


def absorbed(accounts: int, money: int, gas_price: int = 0, kept: int = 0) -> list[Decision]:
    funds = {NATIVE: 10**30, BASE: money, kept_of(BASE): kept}
    decided = choose([request(str(each)) for each in range(accounts)], funds, Costs(gas_price, WAD, 0))
    return [each for each in decided if isinstance(each.outcome, Plan)]


def test_many_accounts_are_not_absorbed_with_the_same_money() -> None:
    assert len(absorbed(5, 1_000)) == 5
    assert len(absorbed(5, 200)) == 2
    assert len(absorbed(5, 200, kept=100)) == 1, "what was absorbed before is bought first"
    [one] = absorbed(1, 200)
    assert isinstance(one.outcome, Plan) and one.outcome.kept == 100
    assert Plan.from_json(one.outcome.to_json()) == one.outcome


def test_gas_takes_a_small_part_of_what_may_be_earned_later() -> None:
    [found] = absorbed(1, 100)
    assert isinstance(found.outcome, Plan) and found.outcome.gain_base == GAIN
    assert found.outcome.gas_budget == GAIN // 10
    gas = found.outcome.gas
    assert absorbed(1, 100, gas_price=GAIN // 10 // gas)
    assert not absorbed(1, 100, gas_price=GAIN // 5 // gas)
