"""Forecasts against days they have not seen, on series made from a fixed seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from keeper.margin.interface import Array
from keeper.margin.risk import backtest, dynamic, normal, rolling
from tests.unit.margin.risk import series

pytestmark = pytest.mark.unit

DAYS = 2_530
WINDOW = 500
SEED = 20_250_101
Make = Callable[[int, int], Array]


def outcome(returns: Array, level: float) -> tuple[int, int, float, float]:
    """(days, exceedances, Kupiec's p, Christoffersen's p) of the filtered VaR."""
    var = rolling.filtered_var(returns, level, WINDOW)[:-1]
    losses = -returns[-len(var) :]
    hits = backtest.exceedances(losses, var)
    coverage = backtest.kupiec(len(hits), sum(hits), round(1 - level, 10))
    independence = backtest.christoffersen(backtest.transitions(hits))
    return len(hits), sum(hits), coverage.p_value, independence.p_value


@pytest.mark.parametrize("make", [series.garch, series.jumps])
@pytest.mark.parametrize("level", [0.975, 0.99])
def test_filtered_var_passes_coverage_and_independence_out_of_sample(make: Make, level: float) -> None:
    days, _, coverage, independence = outcome(make(DAYS, SEED), level)
    assert days == DAYS - WINDOW - rolling.BURN_IN
    assert coverage > 0.05
    assert independence > 0.05


@pytest.mark.parametrize("make", [series.garch, series.jumps])
def test_coverage_is_not_the_luck_of_one_seed(make: Make) -> None:
    """A right model is rejected at 5 % in one of twenty; a wrong one nearly always."""
    rejected = sum(outcome(make(DAYS, SEED + each), 0.99)[2] <= 0.05 for each in range(20))
    assert rejected <= 4


def test_a_forecast_that_ignores_volatility_is_rejected() -> None:
    calm, wild = series.garch(1_000, SEED), series.garch(1_000, SEED + 1, sigma=0.06)
    still = np.full(1_000, np.quantile(-calm, 0.99))
    hits = backtest.exceedances(-wild, still)
    assert backtest.kupiec(len(hits), sum(hits), 0.01).p_value < 1e-6


def test_expected_shortfall_is_the_mean_loss_of_exceedance_days() -> None:
    returns = series.garch(20_000, SEED)
    var = rolling.filtered_var(returns, 0.975, WINDOW)[:-1]
    shortfall = rolling.filtered_es(returns, 0.975, WINDOW)[:-1]
    losses = -returns[-len(var) :]
    hit = losses > var
    assert np.mean(losses[hit] / shortfall[hit]) == pytest.approx(1, abs=0.05)


FACTOR = normal.normal_quantile(0.99)
MEASURES = {
    "buffer": dynamic.DynamicTerms(FACTOR, buffer=0.25),
    "all three": dynamic.DynamicTerms(
        FACTOR, buffer=0.25, stress_weight=0.25, stress_sigma=0.06, floor_days=2_520
    ),
}


@pytest.mark.parametrize("make", [series.garch, series.jumps])
@pytest.mark.parametrize("measures", MEASURES.values(), ids=MEASURES)
def test_floors_damp_the_five_day_rise_by_a_quarter_and_keep_coverage(
    make: Make, measures: dynamic.DynamicTerms
) -> None:
    returns = make(DAYS, SEED)
    bare = dynamic.margin_rates(returns, dynamic.DynamicTerms(FACTOR))
    damped = dynamic.margin_rates(returns, measures)
    assert dynamic.largest_rise(damped, 5) <= 0.75 * dynamic.largest_rise(bare, 5)
    uncovered = sum(backtest.exceedances(-returns, bare[:-1]))
    assert sum(backtest.exceedances(-returns, damped[:-1])) <= uncovered
    assert (damped >= (1 - measures.stress_weight) * bare).all()
