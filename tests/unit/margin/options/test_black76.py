"""Black-76 and Black-Scholes-Merton prices against QuantLib and vollib, and their exact relations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as st
from vollib.black import undiscounted_black
from vollib.black_scholes_merton import black_scholes_merton

from keeper.errors import MarginError
from keeper.margin.options import black76, black_scholes

pytestmark = pytest.mark.unit

FORWARDS = (0.5, 40.0, 100.0, 65_000.0)
MONEYNESS = (0.05, 0.5, 0.9, 0.999, 1.0, 1.001, 1.1, 2.0, 20.0)
YEARS = (1e-4, 1 / 365, 0.1, 1.0, 5.0)
VOLATILITIES = (0.01, 0.2, 0.6, 1.5, 4.0)


def wide_grid() -> tuple[np.ndarray, ...]:
    mesh = np.meshgrid(FORWARDS, MONEYNESS, YEARS, VOLATILITIES, (0.0, 1.0), indexing="ij")
    forward, ratio, years, volatility, call = (axis.ravel() for axis in mesh)
    return forward, forward * ratio, years, volatility, call.astype(bool)


def test_prices_agree_with_quantlib_over_a_wide_grid() -> None:
    forward, strike, years, volatility, call = wide_grid()
    got = black76.price(forward, strike, years, volatility, call, 0.97)
    deviation = volatility * np.sqrt(years)
    for i in range(len(forward)):
        kind = ql.Option.Call if call[i] else ql.Option.Put
        expected = ql.blackFormula(kind, strike[i], forward[i], deviation[i], 0.97)
        assert got[i] == pytest.approx(expected, rel=1e-9, abs=2e-14 * forward[i])


def test_prices_agree_with_vollib_over_a_wide_grid() -> None:
    forward, strike, years, volatility, call = wide_grid()
    got = black76.price(forward, strike, years, volatility, call)
    for i in range(0, len(forward), 3):
        flag = "c" if call[i] else "p"
        expected = undiscounted_black(forward[i], strike[i], volatility[i], years[i], flag)
        assert got[i] == pytest.approx(expected, rel=1e-9, abs=2e-14 * forward[i])


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("rate", [-0.02, 0.0, 0.08])
@pytest.mark.parametrize("dividend", [0.0, 0.05])
def test_merton_prices_agree_with_vollib(call: bool, rate: float, dividend: float) -> None:
    for strike in (60.0, 100.0, 140.0):
        got = black_scholes.price(100.0, strike, 0.7, 0.45, call, rate, dividend)
        expected = black_scholes_merton("c" if call else "p", 100.0, strike, 0.7, rate, 0.45, dividend)
        assert float(got) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=200, deadline=None)
@given(
    forward=st.floats(1e-3, 1e6),
    ratio=st.floats(0.01, 100.0),
    years=st.floats(0.0, 10.0),
    volatility=st.floats(0.0, 5.0),
    discount=st.floats(0.1, 1.0),
)
def test_put_call_parity_and_bounds(
    forward: float, ratio: float, years: float, volatility: float, discount: float
) -> None:
    strike = forward * ratio
    call, put = black76.price(forward, strike, years, volatility, [True, False], discount)
    scale = discount * max(forward, strike)
    assert call - put == pytest.approx(discount * (forward - strike), abs=1e-13 * scale)
    assert max(forward - strike, 0.0) * discount - 1e-13 * scale <= call <= forward * discount * (1 + 1e-15)
    assert max(strike - forward, 0.0) * discount - 1e-13 * scale <= put <= strike * discount * (1 + 1e-15)


@settings(max_examples=100, deadline=None)
@given(
    strike=st.floats(1.0, 400.0),
    low=st.floats(0.0, 3.0),
    more=st.floats(0.0, 2.0),
    call=st.booleans(),
)
def test_prices_rise_with_volatility(strike: float, low: float, more: float, call: bool) -> None:
    before, after = black76.price(100.0, strike, 0.5, [low, low + more], call)
    assert after >= before - 1e-12


def test_blocks_broadcasting_and_scalars_give_the_same_bits() -> None:
    random = np.random.default_rng(7)
    forward = random.uniform(50, 150, (700, 1, 1))
    strike = random.uniform(50, 150, (1, 9, 1))
    years = random.uniform(0.01, 2, (700, 9, 1))
    volatility = random.uniform(0.1, 2, (1, 1, 11))
    call = random.random((700, 9, 1)) < 0.5
    whole = black76.price(forward, strike, years, volatility, call)
    assert whole.shape == (700, 9, 11)
    flat = black76.price(
        *(np.broadcast_to(x, whole.shape).ravel() for x in (forward, strike, years, volatility, call))
    )
    np.testing.assert_array_equal(whole.ravel(), flat)
    for a, o, s in ((0, 0, 0), (699, 8, 10), (350, 4, 5)):
        one = black76.price(
            forward[a, 0, 0], strike[0, o, 0], years[a, o, 0], volatility[0, 0, s], call[a, o, 0]
        )
        assert one.shape == ()
        assert float(one) == whole[a, o, s]


def test_limits_are_exact() -> None:
    assert float(black76.price(100.0, 90.0, 0.0, 0.5, True)) == 10.0
    assert float(black76.price(100.0, 90.0, 0.5, 0.0, False)) == 0.0
    assert float(black76.price(100.0, 100.0, 0.0, 0.0, True)) == 0.0
    assert float(black76.price(0.0, 100.0, 0.5, 0.5, False, 0.9)) == 90.0
    assert float(black76.price(100.0, 0.0, 0.5, 0.5, True)) == 100.0
    assert float(black76.price(0.0, 0.0, 0.5, 0.5, True)) == 0.0
    assert black76.price(np.empty(0), 100.0, 0.5, 0.5, True).shape == (0,)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"forward": -1.0}, "forward"),
        ({"forward": [100.0, math.nan]}, "forward[1]"),
        ({"strike": -5.0}, "strike"),
        ({"years": -0.1}, "years"),
        ({"volatility": -0.2}, "volatility"),
        ({"volatility": math.nan}, "volatility"),
        ({"volatility": None}, "volatility"),
        ({"volatility": "high"}, "volatility"),
        ({"discount": 0.0}, "discount"),
        ({"discount": math.inf}, "discount"),
    ],
)
def test_bad_input_names_the_argument(change: dict[str, object], field: str) -> None:
    inputs = {"forward": 100.0, "strike": 100.0, "years": 0.5, "volatility": 0.5, "is_call": True}
    with pytest.raises(MarginError) as caught:
        black76.price(**(inputs | change))  # type: ignore[arg-type]
    assert caught.value.field == field
