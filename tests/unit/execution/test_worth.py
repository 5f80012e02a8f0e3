"""What a transaction may pay for gas is what its plans can spare, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.execution import batching
from keeper.execution.worth import most_a_gas
from tests.unit.execution.test_batching import plan

pytestmark = pytest.mark.unit

CEILING = 500 * 10**9


def test_what_is_left_of_a_batch_pays_for_itself() -> None:
    first, second = (replace(plan(n), gas=500_000, gas_budget=10**16) for n in (1, 2))
    together = 2 * 10**16 // batching.gas_of([first, second])
    assert most_a_gas([first, second], CEILING) == together
    assert most_a_gas([first], CEILING) == 10**16 // 500_000, "alone it cannot bid as both could"


def test_a_plan_that_others_must_pay_for_is_not_sent_alone() -> None:
    poor = replace(plan(1), gas=500_000, gas_budget=-1)
    assert most_a_gas([poor], CEILING) == 0


def test_the_operators_ceiling_holds_where_a_plan_sets_none_or_a_higher() -> None:
    rich = replace(plan(1), gas=500_000, gas_budget=10**24)
    assert most_a_gas([rich], CEILING) == CEILING
    assert most_a_gas([replace(rich, gas_budget=None)], CEILING) == CEILING
    assert most_a_gas([], CEILING) == CEILING
