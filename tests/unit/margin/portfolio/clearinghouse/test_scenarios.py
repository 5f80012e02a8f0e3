"""Laws of the clearinghouse's scenario sets and of how their widths change."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.scenarios import (
    PublishLimits,
    WidthBound,
    WidthRamp,
    decode_steps,
    encode_steps,
    published,
    target_width,
)
from keeper.margin.portfolio.clearinghouse.valuation import admits, value_in, worst
from keeper.margin.portfolio.clearinghouse.values import Portfolio, ScenarioSet
from keeper.margin.risk.dynamic import DynamicTerms, with_buffer
from keeper.margin.rounding import WAD
from tests.support.clearinghouse_cases import portfolio, scenario_set

pytestmark = pytest.mark.unit

LIMITS = PublishLimits(WAD // 5, WAD // 10, WAD // 4, WAD // 20, 3_600, 7_200)
WIDE = WidthBound(1, 9 * WAD)


def test_the_buffer_is_the_anti_procyclical_one_of_the_risk_models() -> None:
    """The same rule as EMIR's in float64, day for day."""
    rates = np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.05, 400))) / 10
    expected = with_buffer(rates, DynamicTerms(factor=1.0, buffer=0.25, replenish=0.05))
    target = round(expected[0] * WAD)
    for rate, margin in zip(rates[1:], expected[1:], strict=True):
        target = target_width(target, round(rate * WAD), LIMITS, WIDE)
        assert target == pytest.approx(margin * WAD, rel=1e-12)


@given(
    st.lists(st.tuples(st.integers(900, 1_200), st.integers(3_600, 20_000)), min_size=1, max_size=12),
    st.integers(100, WAD),
)
def test_no_publications_take_a_width_farther_than_their_steps(
    moves: list[tuple[int, int]], start: int
) -> None:
    ramp = WidthRamp(0, 0, (start,), (start,), (start,))
    reached, now = [start], 0
    for share, wait in moves:
        now += wait
        before, present = ramp.target[0], ramp.at(now)
        ramp = published(ramp, [_between(ramp, share)], LIMITS, [WIDE], now)
        reached.append(ramp.target[0])
        assert ramp.at(now) == present
        assert before * 9 // 10 <= ramp.target[0] <= before * 12 // 10
        assert all(min(reached) <= ramp.at(now + later)[0] <= max(reached) for later in (0, 1, 5_000, 9_999))


def _between(ramp: WidthRamp, share: int) -> int:
    before = ramp.calculated[0]
    return max(-(-before * 9 // 10), min(before * 12 // 10, before * share // 1_000))


def test_what_the_contract_refuses_is_refused_with_what_may_be() -> None:
    ramp = WidthRamp(0, 0, (1_000,), (1_000,), (1_000,))
    with pytest.raises(MarginError, match="Wait until 3600"):
        published(ramp, [1_000], LIMITS, [WIDE], 3_599)
    for wrong in (899, 1_201):
        with pytest.raises(MarginError, match="may be 900 to 1200"):
            published(ramp, [wrong], LIMITS, [WIDE], 3_600)
    with pytest.raises(MarginError, match="may be 950 to 1050"):
        published(ramp, [949], LIMITS, [WidthBound(950, 1_050)], 3_600)


def test_a_ramp_is_a_straight_line_rounded_up() -> None:
    ramp = WidthRamp(100, 103, (10, 20), (20, 10), (20, 10))
    assert [ramp.at(time) for time in (0, 100, 101, 102, 103, 999)] == [
        (10, 20),
        (10, 20),
        (14, 17),
        (17, 14),
        (20, 10),
        (20, 10),
    ]


def test_initial_margin_is_at_least_maintenance_for_every_account() -> None:
    """Because the initial set begins with the maintenance set, at the same widths."""
    draw = Random(7)
    for _ in range(40):
        initial = scenario_set(draw, 2, 2, 8)
        maintenance = ScenarioSet(2, 2, initial.steps[:4], initial.widths)
        account = portfolio(draw, 2, 2)
        assert worst(account, initial)[0] <= worst(account, maintenance)[0]


def test_a_change_may_stand_that_costs_nothing_where_something_is_missing() -> None:
    scenarios = ScenarioSet(1, 0, ((0, 0, 0),), (WAD,) * 4)
    poor, poorer, rich = (Portfolio(cash, 0, (), ()) for cash in (-5, -6, 1))
    assert admits(poor, poor, scenarios) == (True, -5, 0)
    assert admits(poor, poorer, scenarios) == (False, -6, 0)
    assert admits(rich, poor, scenarios) == (False, -5, 0)
    assert admits(poor, rich, scenarios) == (True, 1, 0)


def test_a_scenario_that_does_not_exist_is_refused() -> None:
    empty = ScenarioSet(1, 0, (), (WAD,) * 4)
    account = Portfolio(0, 0, (), ())
    with pytest.raises(MarginError, match="not among 0"):
        value_in(account, empty, 0)
    with pytest.raises(MarginError, match="no scenario"):
        worst(account, empty)


def test_steps_are_kept_as_signed_numbers_of_sixteen_bits() -> None:
    rows = ((-(2**15), 0, 1, -1), (2**15 - 1, -10_000, 10_000, 7))
    assert encode_steps(rows)[:6] == bytes.fromhex("800000000001")
    assert decode_steps(encode_steps(rows), 1, 1) == rows
    assert decode_steps(encode_steps(rows)[:-2], 1, 1) == rows[:1]
