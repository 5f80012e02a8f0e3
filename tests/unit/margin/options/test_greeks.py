"""Greeks against QuantLib's analytic engine and against differences of prices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql

from keeper.errors import MarginError
from keeper.margin.options import black76, black_scholes, greeks

pytestmark = pytest.mark.unit

CASES = [
    (spot, strike, years, volatility, call, rate, dividend)
    for spot in (80.0, 100.0, 130.0)
    for strike in (70.0, 100.0, 160.0)
    for years in (7 / 365, 0.5, 2.0)
    for volatility in (0.2, 0.9)
    for call in (True, False)
    for rate, dividend in ((0.0, 0.0), (0.05, 0.02), (-0.01, 0.08))
]


@pytest.mark.parametrize("case", CASES[::5])
def test_greeks_agree_with_quantlib(case: tuple[float, float, float, float, bool, float, float]) -> None:
    spot, strike, years, volatility, call, rate, dividend = case
    got = greeks.black_scholes(*case)
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if call else ql.Option.Put, strike)
    forward = spot * math.exp((rate - dividend) * years)
    discount = math.exp(-rate * years)
    oracle = ql.BlackCalculator(payoff, forward, volatility * math.sqrt(years), discount)
    assert float(got.price) == pytest.approx(oracle.value(), abs=1e-11)
    assert float(got.delta) == pytest.approx(oracle.delta(spot), abs=1e-11)
    assert float(got.gamma) == pytest.approx(oracle.gamma(spot), abs=1e-11)
    assert float(got.vega) == pytest.approx(oracle.vega(years), abs=1e-9)
    assert float(got.rho) == pytest.approx(oracle.rho(years), abs=1e-9)
    assert float(got.dividend_rho) == pytest.approx(oracle.dividendRho(years), abs=1e-9)
    assert float(got.theta) == pytest.approx(oracle.theta(spot, years), abs=1e-8)
    # below, both prices are mostly rounding
    if oracle.value() > 1e-4:
        assert float(got.elasticity) == pytest.approx(oracle.elasticity(spot), rel=1e-6)


@pytest.mark.parametrize("case", CASES[::7])
def test_cross_greeks_are_slopes(case: tuple[float, float, float, float, bool, float, float]) -> None:
    spot, strike, years, volatility, call, rate, dividend = case
    got = greeks.black_scholes(*case)
    h = 1e-5
    up, down = (
        greeks.black_scholes(spot, strike, years, volatility + d, call, rate, dividend) for d in (h, -h)
    )
    assert float(got.vanna) == pytest.approx(float(up.delta - down.delta) / (2 * h), rel=1e-5, abs=1e-7)
    assert float(got.volga) == pytest.approx(float(up.vega - down.vega) / (2 * h), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("call", [True, False])
def test_black76_greeks_are_slopes_of_its_price(call: bool) -> None:
    forward, strike, years, volatility, rate = 95.0, 100.0, 0.4, 0.6, 0.03

    def value(f: float, t: float, v: float, r: float) -> float:
        return float(black76.price(f, strike, t, v, call, math.exp(-r * t)))

    got = greeks.black76(forward, strike, years, volatility, call, rate)
    h = 1e-4
    here = value(forward, years, volatility, rate)
    up, down = value(forward + h, years, volatility, rate), value(forward - h, years, volatility, rate)
    assert float(got.price) == pytest.approx(here, rel=1e-13)
    assert float(got.delta) == pytest.approx((up - down) / (2 * h), rel=1e-7)
    wide = 1e-2
    above, below = (
        value(forward + wide, years, volatility, rate),
        value(forward - wide, years, volatility, rate),
    )
    assert float(got.gamma) == pytest.approx((above - 2 * here + below) / wide**2, rel=1e-5)
    later, earlier = value(forward, years - h, volatility, rate), value(forward, years + h, volatility, rate)
    assert float(got.theta) == pytest.approx((later - earlier) / (2 * h), rel=1e-6)
    high, low = value(forward, years, volatility, rate + h), value(forward, years, volatility, rate - h)
    assert float(got.rho) == pytest.approx((high - low) / (2 * h), rel=1e-6)
    assert float(got.dividend_rho) == 0.0


def test_arrays_give_what_scalars_give() -> None:
    spots = np.array([80.0, 100.0, 120.0])
    whole = greeks.black_scholes(spots, 100.0, 0.5, 0.5, True, 0.02)
    for i, spot in enumerate(spots):
        one = greeks.black_scholes(spot, 100.0, 0.5, 0.5, True, 0.02)
        for name in ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga"):
            assert getattr(one, name) == getattr(whole, name)[i]
        assert float(one.price) == pytest.approx(
            float(black_scholes.price(spot, 100.0, 0.5, 0.5, True, 0.02)), rel=1e-13
        )


@pytest.mark.parametrize(
    ("change", "field"),
    [({"spot": 0.0}, "spot"), ({"years": 0.0}, "years"), ({"volatility": 0.0}, "volatility"),
     ({"rate": math.nan}, "rate"), ({"dividend_yield": math.inf}, "dividend_yield")],
)  # fmt: skip
def test_greeks_refuse_what_has_no_derivative(change: dict[str, float], field: str) -> None:
    inputs = {"spot": 100.0, "strike": 100.0, "years": 0.5, "volatility": 0.5, "is_call": True}
    with pytest.raises(MarginError) as caught:
        greeks.black_scholes(**(inputs | change))
    assert caught.value.field == field
