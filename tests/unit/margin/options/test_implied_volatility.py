"""Implied volatility: inverse of the price, agreement with vollib and QuantLib, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql
from vollib.black.implied_volatility import implied_volatility_of_undiscounted_option_price

from keeper.errors import MarginError
from keeper.margin.options import black76
from keeper.margin.options.implied_volatility import implied_volatility

pytestmark = pytest.mark.unit


def test_inverts_out_of_the_money_prices_over_a_wide_grid() -> None:
    random = np.random.default_rng(3)
    count = 20_000
    forward = 100.0 * np.exp(random.normal(0, 1, count))
    strike = forward * np.exp(random.normal(0, 0.7, count))
    years = random.uniform(0.003, 3, count)
    volatility = random.uniform(0.02, 4, count)
    call = strike > forward
    price = black76.price(forward, strike, years, volatility, call, 0.9)
    bound = np.where(call, forward, strike) * 0.9
    usable = (price > 1e-250) & (price < bound * (1 - 1e-6))
    assert usable.mean() > 0.97
    got = implied_volatility(price[usable], forward[usable], strike[usable], years[usable], call[usable], 0.9)
    np.testing.assert_allclose(got, volatility[usable], rtol=1e-9)


def test_in_the_money_prices_agree_to_what_they_carry() -> None:
    forward, strike = 100.0, np.array([50.0, 80.0, 95.0])
    price = black76.price(forward, strike, 0.5, 0.8, True)
    np.testing.assert_allclose(implied_volatility(price, forward, strike, 0.5, True), 0.8, rtol=1e-12)


@pytest.mark.parametrize("volatility", [0.05, 0.4, 1.3, 3.0])
@pytest.mark.parametrize("ratio", [0.6, 0.99, 1.0, 1.01, 1.8])
def test_agrees_with_vollib_and_quantlib(volatility: float, ratio: float) -> None:
    forward, years = 250.0, 0.3
    strike = forward * ratio
    call = ratio >= 1
    kind, flag = (ql.Option.Call, "c") if call else (ql.Option.Put, "p")
    price = ql.blackFormula(kind, strike, forward, volatility * math.sqrt(years))
    if price < 1e-12:
        return
    got = float(implied_volatility(price, forward, strike, years, call))
    theirs = implied_volatility_of_undiscounted_option_price(price, forward, strike, years, flag)
    assert got == pytest.approx(theirs, rel=1e-11)
    deviation = ql.blackFormulaImpliedStdDev(kind, strike, forward, price, 1.0, 0.0, 0.3, 1e-13, 500)
    assert got == pytest.approx(deviation / math.sqrt(years), rel=1e-8)


def test_intrinsic_value_has_no_volatility_and_shapes_are_kept() -> None:
    assert float(implied_volatility(20.0, 120.0, 100.0, 0.5, True)) == 0.0
    assert float(implied_volatility(0.0, 80.0, 100.0, 0.5, True)) == 0.0
    price = black76.price([[90.0], [100.0]], [95.0, 100.0, 105.0], 0.5, 0.6, True)
    got = implied_volatility(price, [[90.0], [100.0]], [95.0, 100.0, 105.0], 0.5, True)
    assert got.shape == (2, 3)
    assert float(implied_volatility(price[1, 2], 100.0, 105.0, 0.5, True)) == got[1, 2]
    np.testing.assert_allclose(got, 0.6, rtol=1e-12)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ((9.0, 110.0, 100.0, 0.5, True), "price"),
        ((111.0, 110.0, 100.0, 0.5, True), "price"),
        ((100.0, 110.0, 100.0, 0.5, False), "price"),
        (([5.0, -1.0], 100.0, 100.0, 0.5, True), "price[1]"),
        ((5.0, 100.0, 100.0, 0.0, True), "years"),
        ((5.0, 0.0, 100.0, 0.5, True), "forward"),
        ((math.nan, 100.0, 100.0, 0.5, True), "price"),
    ],
)
def test_prices_no_volatility_gives_are_refused(inputs: tuple[object, ...], field: str) -> None:
    with pytest.raises(MarginError) as caught:
        implied_volatility(*inputs)  # type: ignore[arg-type]
    assert caught.value.field == field
