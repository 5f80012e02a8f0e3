"""Delta-normal, Cornish-Fisher and simulated risk against scipy and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from keeper.errors import MarginError
from keeper.margin.risk import delta_gamma, normal, simulation, tail

pytestmark = pytest.mark.unit

COVARIANCE = normal.correlated([0.03, 0.04, 0.06], [[1, 0.6, 0.5], [0.6, 1, 0.7], [0.5, 0.7, 1]])
EXPOSURES = np.array([1_000.0, -400.0, 250.0])


@given(st.floats(0.51, 0.9999))
def test_normal_factors_are_scipys(level: float) -> None:
    z = stats.norm.ppf(level)
    assert normal.normal_quantile(level) == pytest.approx(z, rel=1e-12)
    tail_mean = integrate.quad(lambda x: x * stats.norm.pdf(x), z, 40)[0] / (1 - level)
    assert normal.normal_shortfall_factor(level) == pytest.approx(tail_mean, rel=1e-6)


def test_normal_var_and_shortfall_agree_with_monte_carlo() -> None:
    shocks = simulation.monte_carlo_shocks(COVARIANCE, 400_000, 4.0, seed=7)
    losses = simulation.losses_of(EXPOSURES, shocks)
    var = normal.delta_normal_var(EXPOSURES, COVARIANCE, 0.99, 4.0)
    shortfall = normal.delta_normal_es(EXPOSURES, COVARIANCE, 0.99, 4.0)
    assert tail.value_at_risk(losses, 0.99) == pytest.approx(float(var), rel=0.01)
    assert tail.expected_shortfall(losses, 0.99) == pytest.approx(float(shortfall), rel=0.01)


def test_accounts_together_give_what_they_give_alone() -> None:
    many = np.random.default_rng(1).normal(0, 1_000, (7, 3))
    together = normal.delta_normal_es(many, COVARIANCE, 0.99, 2.0)
    alone = [float(normal.delta_normal_es(each, COVARIANCE, 0.99, 2.0)) for each in many]
    assert together == pytest.approx(alone, rel=1e-12)


GAMMA = np.array([[-3_000.0, 200.0, 0.0], [200.0, -1_500.0, 0.0], [0.0, 0.0, 800.0]])


def test_moments_of_a_quadratic_portfolio_are_those_of_its_losses() -> None:
    shocks = simulation.monte_carlo_shocks(COVARIANCE, 1_000_000, 1.0, seed=3)
    losses = simulation.quadratic_losses(EXPOSURES, GAMMA, shocks)
    moments = delta_gamma.loss_moments(EXPOSURES, GAMMA, COVARIANCE)
    assert moments.mean == pytest.approx(losses.mean(), abs=3 * losses.std() / 1_000)
    assert moments.sigma == pytest.approx(losses.std(), rel=0.01)
    assert moments.skew == pytest.approx(stats.skew(losses), abs=0.03)
    assert moments.kurtosis == pytest.approx(stats.kurtosis(losses), abs=0.1)


def test_cornish_fisher_is_close_to_monte_carlo_where_it_is_defined() -> None:
    shocks = simulation.monte_carlo_shocks(COVARIANCE, 1_000_000, 1.0, seed=3)
    losses = simulation.quadratic_losses(EXPOSURES, GAMMA, shocks)
    moments = delta_gamma.loss_moments(EXPOSURES, GAMMA, COVARIANCE)
    assert delta_gamma.cornish_fisher_var(moments, 0.99) == pytest.approx(
        float(tail.value_at_risk(losses, 0.99)), rel=0.03
    )
    assert delta_gamma.cornish_fisher_es(moments, 0.99) == pytest.approx(
        float(tail.expected_shortfall(losses, 0.99)), rel=0.05
    )


@given(st.floats(0.6, 0.999), st.floats(-0.5, 0.8), st.floats(0.2, 2.0))
def test_cornish_fisher_shortfall_is_the_mean_of_its_var_over_the_tail(
    level: float, skew: float, kurtosis: float
) -> None:
    moments = delta_gamma.LossMoments(3.0, 2.0, skew, kurtosis)
    try:
        shortfall = delta_gamma.cornish_fisher_es(moments, level)
    except MarginError:
        return
    mean = integrate.quad(lambda u: delta_gamma.cornish_fisher_var(moments, u), level, 1 - 1e-12, limit=400)[
        0
    ]
    assert shortfall == pytest.approx(mean / (1 - level), rel=1e-4)


def test_without_gamma_the_expansion_is_delta_normal() -> None:
    moments = delta_gamma.loss_moments(EXPOSURES, np.zeros((3, 3)), COVARIANCE, 3.0)
    assert delta_gamma.cornish_fisher_var(moments, 0.99) == pytest.approx(
        float(normal.delta_normal_var(EXPOSURES, COVARIANCE, 0.99, 3.0))
    )


def test_moments_outside_the_expansions_domain_are_refused_with_what_to_do() -> None:
    with pytest.raises(MarginError, match="Monte Carlo"):
        delta_gamma.cornish_fisher_var(delta_gamma.LossMoments(0.0, 1.0, -3.0, 1.0), 0.99)


@pytest.mark.parametrize(
    ("covariance", "what"),
    [
        ([[1, 2], [2, 1]], "semi-definite"),
        ([[1, 0.5], [0.4, 1]], "symmetric"),
        ([[1, float("nan")], [0, 1]], "NaN"),
        ([1, 2], "shape"),
    ],
)
def test_a_covariance_that_is_none_is_refused(covariance: list[object], what: str) -> None:
    with pytest.raises(MarginError, match=what) as refused:
        normal.delta_normal_var([1.0, 1.0], covariance, 0.99)  # type: ignore[arg-type]
    assert refused.value.field == "covariance"
