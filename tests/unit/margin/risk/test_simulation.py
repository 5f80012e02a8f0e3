"""Scenario generators: shapes, horizons, reproducibility, and volatility estimates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from keeper.errors import MarginError
from keeper.margin.risk import simulation, tail, volatility
from tests.unit.margin.risk import series

pytestmark = pytest.mark.unit

RETURNS = np.column_stack([series.garch(800, seed) for seed in (1, 2)])


def test_ewma_is_its_recursion() -> None:
    variances = volatility.ewma_variances(RETURNS, 0.94)
    assert variances.shape == (801, 2)
    for day in range(800):
        step = volatility.ewma_update(variances[day], RETURNS[day], 0.94)
        assert variances[day + 1] == pytest.approx(step, rel=1e-10)


def test_ewma_covariance_weighs_recent_days_and_sums_to_one() -> None:
    constant = np.tile([0.01, -0.02], (500, 1))
    expected = np.outer([0.01, -0.02], [0.01, -0.02])
    assert volatility.ewma_covariance(constant) == pytest.approx(expected)


def test_long_run_volatility_knows_only_the_past() -> None:
    whole = volatility.long_run_sigmas(RETURNS[:, 0], 200)
    cut = volatility.long_run_sigmas(RETURNS[:500, 0], 200)
    assert whole[:501] == pytest.approx(cut)
    assert whole[500] == pytest.approx(np.sqrt(np.mean(RETURNS[300:500, 0] ** 2)))


def test_overlapping_horizons_sum_following_days() -> None:
    shocks = simulation.historical_shocks(RETURNS, 5)
    assert shocks.shape == (796, 2)
    assert shocks[10] == pytest.approx(RETURNS[10:15].sum(axis=0))


def test_filtered_shocks_have_todays_volatility_and_keep_assets_of_a_day_together() -> None:
    both = np.column_stack((RETURNS[:, 0], 2 * RETURNS[:, 0]))
    shocks = simulation.filtered_shocks(both)
    assert shocks[:, 1] == pytest.approx(2 * shocks[:, 0])
    today = np.sqrt(volatility.ewma_variances(both)[-1])
    assert shocks.std(axis=0) == pytest.approx(today, rel=0.1)


def test_filtered_paths_grow_with_the_root_of_the_horizon() -> None:
    one = simulation.filtered_shocks(RETURNS, 1, 40_000, seed=5).std(axis=0)
    ten = simulation.filtered_shocks(RETURNS, 10, 40_000, seed=5).std(axis=0)
    assert ten / one == pytest.approx(np.sqrt(10), rel=0.1)


def test_a_seed_gives_the_same_paths_again() -> None:
    again = [simulation.filtered_shocks(RETURNS, 3, 1_000, seed=9) for _ in range(2)]
    assert (again[0] == again[1]).all()


def test_students_t_keeps_the_covariance_and_fattens_the_tail() -> None:
    covariance = np.array([[4.0, 1.0], [1.0, 1.0]]) * 1e-4
    thin = simulation.monte_carlo_shocks(covariance, 300_000, seed=2)
    fat = simulation.monte_carlo_shocks(covariance, 300_000, seed=2, degrees_of_freedom=5)
    assert np.cov(fat.T) == pytest.approx(covariance, rel=0.05)
    assert stats.kurtosis(thin[:, 0]) == pytest.approx(0, abs=0.1)
    assert stats.kurtosis(fat[:, 0]) > 2
    assert tail.value_at_risk(-fat[:, 0], 0.999) > tail.value_at_risk(-thin[:, 0], 0.999)


def test_a_singular_covariance_serves() -> None:
    shocks = simulation.monte_carlo_shocks([[1.0, 1.0], [1.0, 1.0]], 1_000, seed=1)
    assert shocks[:, 0] == pytest.approx(shocks[:, 1], abs=1e-9)


def test_shortfalls_of_many_accounts_are_those_of_each() -> None:
    exposures = np.random.default_rng(3).normal(0, 100, (75, 2))
    shocks = simulation.monte_carlo_shocks(np.eye(2) * 1e-4, 5_000, seed=4)
    together = simulation.expected_shortfalls(exposures, shocks, 0.99)
    alone = [float(tail.expected_shortfall(simulation.losses_of(each, shocks), 0.99)) for each in exposures]
    assert together == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("exposures", lambda: simulation.losses_of([1.0, 2.0], np.zeros((4, 3)))),
        ("horizon", lambda: simulation.historical_shocks(RETURNS, 0)),
        ("horizon", lambda: simulation.historical_shocks(RETURNS, 1.5)),  # type: ignore[arg-type]
        ("paths", lambda: simulation.filtered_shocks(RETURNS, 5)),
        ("returns", lambda: simulation.filtered_shocks(np.zeros((100, 2)))),
        ("returns", lambda: simulation.filtered_shocks(np.full((100, 2), np.nan))),
        ("degrees_of_freedom", lambda: simulation.monte_carlo_shocks(np.eye(2), 10, degrees_of_freedom=2)),
        ("paths", lambda: simulation.monte_carlo_shocks(np.eye(2), 0)),
        ("decay", lambda: volatility.ewma_variances(RETURNS, 1.0)),
    ],
)
def test_bad_input_names_its_field(field: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        call()
    assert refused.value.field == field
