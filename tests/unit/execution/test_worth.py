"""What a transaction may pay for gas is what its plans can spare, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi.abi import decode
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.fees import TooDearError
from keeper.execution import batch_encoding, batch_gas, batches
from keeper.execution.bid_limits import asked, at_bid, bidding, max_fee_per_gas, measured
from keeper.execution.rehearsal import Action, Rehearsal, with_margin
from keeper.model.plan import Plan
from tests.unit.execution.test_batching import plan

pytestmark = pytest.mark.unit

GWEI = 10**9
CEILING = 500 * GWEI


def test_what_is_left_of_a_batch_pays_for_itself() -> None:
    first, second = (replace(plan(n), gas=500_000, gas_budget=10**16) for n in (1, 2))
    together = 2 * 10**16 // batches.gas_of([first, second])
    assert max_fee_per_gas([first, second], CEILING) == together
    assert max_fee_per_gas([first], CEILING) == 10**16 // 500_000, "alone it cannot bid as both could"


def test_a_plan_that_others_must_pay_for_is_not_sent_alone() -> None:
    poor = replace(plan(1), gas=500_000, gas_budget=-1)
    assert max_fee_per_gas([poor], CEILING) == 0


def test_the_operators_ceiling_holds_where_a_plan_sets_none_or_a_higher() -> None:
    rich = replace(plan(1), gas=500_000, gas_budget=10**24)
    assert max_fee_per_gas([rich], CEILING) == CEILING
    assert max_fee_per_gas([replace(rich, gas_budget=None)], CEILING) == CEILING
    assert max_fee_per_gas([], CEILING) == CEILING


def expecting(number: int, profit: int, gain_wei: int, budget: int) -> Plan:
    made = plan(number)
    assert made.batch_item is not None
    item = replace(made.batch_item, profit=profit, min_profit=profit // 2)
    return replace(made, batch_item=item, gain_wei=gain_wei, gas_budget=budget)


def units_asked(plans: list[Plan]) -> list[int]:
    return [each.batch_item.min_profit for each in plans if each.batch_item is not None]


def test_expected_a_thousand_and_gas_up_to_999_asks_for_999() -> None:
    one = expecting(1, 1_000, 1_000 * GWEI, 1_000 * GWEI)
    assert units_asked(asked([one], 999 * GWEI)) == [999]
    assert units_asked(asked([one], 100 * GWEI)) == [500], "half of it at least"
    assert units_asked(asked([one], 5_000 * GWEI)) == [1_000], "nobody can ask for more than all"


@given(
    st.lists(
        st.tuples(st.integers(1, 10**24), st.integers(1, 10**20), st.integers(0, 100)), min_size=1, max_size=6
    ),
    st.integers(0, 10**20),
)
def test_what_is_asked_for_pays_for_gas_and_for_the_least_profit(
    each: list[tuple[int, int, int]], gas_cost: int
) -> None:
    plans = [
        expecting(n, profit, gain, gain - gain * percent // 200)
        for n, (profit, gain, percent) in enumerate(each)
    ]
    found = asked(plans, gas_cost)
    gain = sum(plan.gain_wei or 0 for plan in plans)
    least = sum((plan.gain_wei or 0) - (plan.gas_budget or 0) for plan in plans)
    for before, after in zip(plans, found, strict=True):
        assert before.batch_item is not None and after.batch_item is not None
        assert before.batch_item.profit // 2 <= after.batch_item.min_profit <= before.batch_item.profit
        # In proportion: what this part of the expected profit is worth covers this part of the costs.
        if after.batch_item.min_profit < before.batch_item.profit:
            assert after.batch_item.min_profit * gain >= before.batch_item.profit * (gas_cost + least)


def test_each_bid_asks_anew_and_what_has_ended_pays_for_nothing() -> None:
    first, second = expecting(1, 1_000, 10**16, 10**16), expecting(2, 1_000, 10**16, 10**16)
    action = Action("act", "0xc0", batches.combine([first, second]).data)
    gas = batches.gas_of([first, second])

    def bid(part: int) -> int:
        """Wei a gas at which it costs so many thousandths of both gains."""
        return 2 * 10**16 * part // 1_000 // gas

    assert least_of(at_bid(action, [first, second], gas, bid(300))) == [500, 500]
    assert least_of(at_bid(action, [first, second], gas, bid(900))) == [900, 900]
    assert least_of(at_bid(action, [first, second], gas * 2, bid(400))) == [800, 800], "were all of it used"
    assert least_of(at_bid(action, [first, second], gas * 2, bid(600))) == [980, 980], (
        "but never the last bit"
    )
    one = expecting(1, 1_000, 10**16, 10**16)
    one = replace(one, gas=gas)
    assert least_of(at_bid(action, [one], gas, bid(450), [second])) == [900, 500]
    approve = Action("approve", "0xc0", "0x12")
    assert at_bid(approve, [first], 10**6, GWEI) is approve


def test_the_highest_bid_leaves_what_can_still_be_asked_for() -> None:
    one = replace(expecting(1, 1_000, 10**16, 9 * 10**15), gas=500_000)
    most = max_fee_per_gas([one], CEILING)
    assert most == (9 * 10**15 - 2 * 10**14) // 500_000
    assert least_of(at_bid(Action("act", "0xc0", ""), [one], 750_000, most)) == [980]


def least_of(action: Action) -> list[int]:
    """What each item of a batch asks for."""
    return [item[7] for item in decode([batch_encoding.BATCH], bytes.fromhex(action.data[10:]))[0][2]]


def test_what_was_measured_above_the_plans_own_figure_lowers_the_bid() -> None:
    one = replace(plan(1), gas=500_000, gas_budget=10**16)
    assert max_fee_per_gas([one], CEILING, 2_000_000) == 10**16 // 2_000_000
    assert max_fee_per_gas([one], CEILING, 100_000) == 10**16 // 500_000, "refunds are not counted on"


def test_an_approval_is_paid_for_by_the_act_behind_it() -> None:
    one = replace(expecting(1, 1_000, 10**16, 10**16), gas=400_000)
    actions = (Action("approve", "0xc0", "0x12"), Action("act", "0xc0", ""))
    rehearsal = Rehearsal(actions, (110_000, 600_000), used=(50_000, 400_000))
    approval, act = bidding(rehearsal, [one], 2 * 10**10).actions
    assert approval is actions[0]
    assert least_of(act) == [980], "0.9 of the gain for both, and all of the limits as far as it allows"
    found = bidding(replace(rehearsal, gas=(50_000, 400_000)), [one], 2 * 10**10)
    assert least_of(found.actions[1]) == [900]


def test_what_would_cost_more_than_it_gains_is_not_sent() -> None:
    one = replace(expecting(1, 1_000, 10**16, 10**16), gas=400_000)
    rehearsal = Rehearsal((Action("act", "0xc0", ""),), (3_000_000,), used=(2_000_000,))
    assert bidding(rehearsal, [one], 10**16 // 2_000_000).ok
    with pytest.raises(TooDearError):
        bidding(rehearsal, [one], 10**16 // 2_000_000 + 1)


@pytest.mark.parametrize("gas", [21_000, 119_999, 120_000, 120_001, 6_543_211])
def test_what_was_measured_is_told_by_the_limit(gas: int) -> None:
    assert measured(with_margin(gas), 1) == gas
    assert gas - 1 <= measured(batch_gas.limit(gas), 2) <= gas
