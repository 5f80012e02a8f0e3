"""Greeks-driven collateral: exposures are slopes, charges are convex, continuous and monotone."""

from __future__ import annotations

import numpy as np
import pytest

from keeper.margin.portfolio.accounts import Accounts, CollateralLegs
from keeper.margin.portfolio.contingencies import concentration, haircuts
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.exposures import Exposures, exposures
from tests.unit.margin.portfolio.books import MARKET, depths, options, parameters, perps, random_book

pytestmark = pytest.mark.unit


def of(delta: np.ndarray) -> Exposures:
    zeros = np.zeros_like(delta)
    return Exposures(delta, zeros, zeros, zeros)


def test_dollar_greeks_are_slopes_of_equity() -> None:
    book, p = random_book(21, 6), parameters(haircut=np.array([1.0, 1.0]))
    got = exposures(book, MARKET)
    h = 1e-4
    for u in range(2):
        shift = np.eye(2)[u] * h
        up, here, down = (evaluate(book, MARKET.moved(1.0 + k * shift), p).equity for k in (1.0, 0.0, -1.0))
        np.testing.assert_allclose(got.delta[:, u], (up - down) / (2 * h), rtol=1e-5, atol=1e-2)
        np.testing.assert_allclose(got.gamma[:, u], (up - 2 * here + down) / h**2 / 100, rtol=1e-3, atol=1.0)
    legs = book.options
    bumped = Accounts.of(
        book.cash,
        legs.with_columns(volatility=legs.volatility + 1e-4),
        book.perps,
        book.spot,
        book.collateral,
    )
    change = evaluate(bumped, MARKET, p).equity - evaluate(book, MARKET, p).equity
    np.testing.assert_allclose(got.vega.sum(axis=1), change * 100, rtol=1e-2, atol=1.0)


def test_charges_are_continuous_convex_and_monotone() -> None:
    c = depths(free=0.1, slope=0.2, maximum=0.4)
    sizes = np.linspace(0.0, 8e5, 4_001)
    charge = concentration(of(np.stack([sizes, -sizes], axis=1)), c).delta
    steps = np.diff(charge, axis=0)
    assert (steps >= -1e-9).all()
    assert (np.diff(steps, axis=0) >= -1e-9).all()
    assert (charge[sizes <= 0.1 * 2e5, 0] == 0).all()
    # beyond the knee every further dollar costs the maximum rate
    assert steps[-1, 0] == pytest.approx(0.4 * (sizes[1] - sizes[0]))


def test_charge_is_the_integral_of_its_marginal_rate() -> None:
    c = depths(free=0.1, slope=0.2, maximum=0.4)
    x = np.linspace(0.0, 3.5, 200_001)
    marginal = np.minimum(0.4, 0.2 * np.maximum(x - 0.1, 0.0))
    expected = np.trapezoid(marginal, x) * 2e5
    assert concentration(of(np.array([[3.5 * 2e5, 0.0]])), c).delta[0, 0] == pytest.approx(expected)


def test_collateral_in_what_the_account_is_long_loses_more() -> None:
    p = parameters(concentration=depths(haircut_slope=0.1, haircut_maximum=0.25))
    legs = CollateralLegs(np.arange(4), np.zeros(4, dtype=np.int64), np.ones(4))
    cuts = haircuts(legs, of(np.array([[-5e5, 0.0], [0.0, 9e9], [2e5, 0.0], [9e9, 0.0]])), p)
    np.testing.assert_allclose(cuts, [0.10, 0.10, 0.20, 0.35])


def test_vega_and_gamma_are_charged_apart() -> None:
    short_dated = options([(0, 0, -40.0, 60_000.0, 3 / 365, 0.6, True)])
    long_dated = options([(0, 0, -40.0, 60_000.0, 2.0, 0.6, True)])
    p = parameters(concentration=depths())
    near = evaluate(Accounts.of(np.zeros(1), short_dated), MARKET, p).concentration[0]
    far = evaluate(Accounts.of(np.zeros(1), long_dated), MARKET, p).concentration[0]
    assert near[1] > far[1]
    assert far[2] > near[2]
    flat = evaluate(Accounts.of(np.zeros(1), perps=perps([(0, 0, 20.0, 60_000.0)])), MARKET, p)
    assert flat.concentration[0, 0] > 0
    assert (flat.concentration[0, 1:] == 0).all()
