"""Distances and cures of linear accounts, against brute force and a numerical minimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize

from keeper.errors import MarginError
from keeper.margin import linear
from keeper.margin.interface import Array

pytestmark = pytest.mark.unit

ASSETS = 3
COVARIANCE = np.array([[9.0, 6.0, 1.0], [6.0, 16.0, 2.0], [1.0, 2.0, 4.0]]) * 1e-4
values = hnp.arrays(np.float64, (6, ASSETS), elements=st.integers(0, 1_000).map(float))
notionals = hnp.arrays(np.float64, (6, ASSETS), elements=st.integers(-1_000, 1_000).map(float))
equities = hnp.arrays(np.float64, 6, elements=st.integers(-100, 3_000).map(float))
WEIGHTS = np.array([0.8, 0.75, 0.9])
RATES = np.array([0.05, 0.1, 0.03])


@st.composite
def surpluses(draw: st.DrawFn) -> linear.Surplus:
    if draw(st.booleans()):
        return linear.lending(draw(values), WEIGHTS, draw(values) / 2)
    return linear.perpetuals(draw(notionals), draw(equities), RATES)


@given(surpluses())
def test_at_the_failing_factor_nothing_is_left_and_before_it_something(surplus: linear.Surplus) -> None:
    factors = linear.alone(surplus)
    for account, asset in np.ndindex(factors.shape):
        found, now = factors[account, asset], surplus.now[account]
        if now < 0:
            assert found == 1
            continue
        moved = np.ones(ASSETS)
        for share in (0.0, 0.5, 0.99, 1.0):
            reach = found if np.isfinite(found) else (0.0 if surplus.exposures[account, asset] > 0 else 50.0)
            moved[asset] = 1 + (reach - 1) * share
            assert surplus.at(moved)[account] >= -1e-6
        if np.isfinite(found):
            assert surplus.at(moved)[account] == pytest.approx(0, abs=1e-6)


@given(surpluses(), hnp.arrays(np.bool_, ASSETS))
def test_assets_moved_together_fail_at_their_common_factor(surplus: linear.Surplus, chosen: Array) -> None:
    factors = linear.together(surplus, chosen)  # type: ignore[arg-type]
    for account, factor in enumerate(factors):
        if np.isfinite(factor) and surplus.now[account] >= 0:
            moved = np.where(chosen, factor, 1.0)
            assert surplus.at(moved)[account] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_the_likeliest_failure_is_the_numerical_minimum(seed: int) -> None:
    generator = np.random.default_rng(seed)
    surplus = linear.lending(
        generator.uniform(100, 1_000, (1, 3)), WEIGHTS, generator.uniform(0, 200, (1, 3))
    )
    distance, factors = linear.likeliest(surplus, COVARIANCE)
    inverse = np.linalg.inv(COVARIANCE)
    best = optimize.minimize(
        lambda r: r @ inverse @ r,
        np.full(3, -0.1),
        constraints={"type": "eq", "fun": lambda r: surplus.at(1 + r)[0] / 100},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert distance[0] == pytest.approx(np.sqrt(best.fun), rel=1e-4)
    assert factors[0] == pytest.approx(1 + best.x, abs=1e-3)
    assert surplus.at(factors)[0] == pytest.approx(0, abs=1e-6)


@given(surpluses())
def test_no_single_asset_is_nearer_than_the_likeliest_failure(surplus: linear.Surplus) -> None:
    distance, _ = linear.likeliest(surplus, COVARIANCE)
    inverse = np.linalg.inv(COVARIANCE)
    moves = linear.alone(surplus) - 1
    for asset in range(ASSETS):
        own = np.abs(moves[:, asset]) * np.sqrt(inverse[asset, asset])
        reachable = np.isfinite(own)
        assert (distance[reachable] <= own[reachable] + 1e-9).all()


@given(surpluses())
def test_the_top_up_is_the_least_that_cures(surplus: linear.Surplus) -> None:
    added = linear.top_up(surplus, 0.8)
    cured = surplus.now + 0.8 * added
    assert (cured >= -1e-9).all()
    assert cured[added > 0] == pytest.approx(0, abs=1e-9)


@given(notionals, equities)
def test_the_reduction_is_the_least_share_that_cures(notional: Array, equity: Array) -> None:
    surplus = linear.perpetuals(notional, equity, RATES)
    freed = np.abs(notional[:, 0]) * RATES[0]
    shares = linear.reduction(surplus, freed)
    for account, share in enumerate(shares):
        kept = notional[account].copy()
        if np.isnan(share):
            assert surplus.now[account] + freed[account] < 1e-9
            continue
        kept[0] *= 1 - share
        after = linear.perpetuals(kept[None], equity[account : account + 1], RATES).now[0]
        assert after >= -1e-6
        if share > 0:
            assert after == pytest.approx(0, abs=1e-6)


def test_an_account_without_exposure_is_infinitely_far() -> None:
    surplus = linear.Surplus(np.array([5.0, -5.0]), np.zeros((2, ASSETS)))
    distance, _ = linear.likeliest(surplus, COVARIANCE)
    assert distance.tolist() == [np.inf, 0.0]
    assert np.isnan(linear.alone(surplus)[0]).all()


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("collateral", lambda: linear.lending([[-1.0]], [0.8], [[0.0]])),
        ("debt", lambda: linear.lending([[1.0]], [0.8], [[float("nan")]])),
        ("rates", lambda: linear.perpetuals([[1.0]], [1.0], [-0.1])),
        ("exposures", lambda: linear.Surplus(np.zeros(1), np.zeros(1))),
        ("fixed", lambda: linear.Surplus(np.zeros(2), np.zeros((1, 1)))),
        ("weight", lambda: linear.top_up(linear.lending([[1.0]], [1.0], [[2.0]]), 0.0)),
        ("covariance", lambda: linear.likeliest(linear.lending([[1.0]], [1.0], [[0.5]]), [[-1.0]])),
    ],
)
def test_bad_input_names_its_field(field: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        call()
    assert refused.value.field == field
