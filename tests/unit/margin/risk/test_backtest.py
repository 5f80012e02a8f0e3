"""Backtest statistics against scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.api import GLM, families

from keeper.errors import MarginError
from keeper.margin.risk import backtest

pytestmark = pytest.mark.unit


@given(st.integers(1, 3_000), st.integers(0, 3_000), st.floats(0.001, 0.2))
def test_kupiec_is_twice_the_difference_of_binomial_log_likelihoods(
    days: int, hits: int, expected: float
) -> None:
    hits = min(hits, days)
    ratio = backtest.kupiec(days, hits, expected)
    best = stats.binom.logpmf(hits, days, hits / days)
    assert ratio.statistic == pytest.approx(
        2 * (best - stats.binom.logpmf(hits, days, expected)), rel=1e-6, abs=1e-6
    )
    assert ratio.p_value == pytest.approx(stats.chi2.sf(ratio.statistic, 1))


@pytest.mark.filterwarnings("ignore:Perfect separation")
@given(*(st.integers(1, 400) for _ in range(4)))
def test_independence_is_the_deviance_of_a_logistic_regression_on_yesterday(
    n00: int, n01: int, n10: int, n11: int
) -> None:
    outcomes = np.array([[n01, n00], [n11, n10]])
    pooled = GLM(outcomes, np.ones((2, 1)), family=families.Binomial()).fit()
    ratio = backtest.christoffersen(backtest.Transitions(n00, n01, n10, n11))
    assert ratio.statistic == pytest.approx(pooled.deviance, rel=1e-6, abs=1e-8)


def test_transitions_count_pairs_of_following_days() -> None:
    pairs = backtest.transitions([False, True, True, False, False])
    assert pairs == backtest.Transitions(1, 1, 1, 1)


def test_clustered_exceedances_pass_coverage_and_fail_independence() -> None:
    """The exercise of the vectors: 10 of 250 days at 4 %, in four clusters."""
    days = {40, 41, 42, 100, 101, 200, 201, 202, 203, 204}
    hits = [day in days for day in range(1, 251)]
    assert backtest.kupiec(250, sum(hits), 0.04).statistic == pytest.approx(0, abs=1e-12)
    assert backtest.christoffersen(backtest.transitions(hits)).p_value < 0.01


@given(st.integers(0, 40))
def test_traffic_light_is_the_binomial_distribution(hits: int) -> None:
    light = backtest.traffic_light(250, hits, 0.01)
    assert light.probability == pytest.approx(stats.binom.cdf(hits, 250, 0.01))
    assert light.type_one == pytest.approx(stats.binom.sf(hits - 1, 250, 0.01), abs=1e-12)


def test_basel_zones_begin_at_five_and_ten() -> None:
    zones = [backtest.basel_zone(hits) for hits in range(12)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 2
    multipliers = [backtest.basel_multiplier(hits) for hits in range(12)]
    assert multipliers == sorted(multipliers)
    assert (multipliers[0], multipliers[11]) == (3.0, 4.0)


@pytest.mark.parametrize(
    ("days", "hits", "expected", "field"),
    [(0, 0, 0.01, "days"), (10, 11, 0.01, "exceedances"), (10, 1, 1.0, "expected")],
)
def test_impossible_counts_are_refused(days: int, hits: int, expected: float, field: str) -> None:
    with pytest.raises(MarginError) as refused:
        backtest.kupiec(days, hits, expected)
    assert refused.value.field == field
