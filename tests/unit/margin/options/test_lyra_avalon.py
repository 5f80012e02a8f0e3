"""Avalon's integers against mathematics in floating point, and what its minimum collateral must obey."""

from __future__ import annotations

from dataclasses import replace
from math import erfc, exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.options import black_scholes
from keeper.margin.options.lyra_avalon.breaking import breaking_spot
from keeper.margin.options.lyra_avalon.minimum import MinimumTerms, ShortKind
from keeper.margin.options.lyra_avalon.option_prices import normal_cdf, option_prices
from keeper.margin.options.lyra_avalon.precise import ONE, exponential, logarithm, over, square_root, times
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

DAY = 86_400
WEEK = 7 * DAY
TERMS = MinimumTerms(
    200 * WAD, WAD // 5, 5 * WAD // 2, 2 * WEEK, 9 * WAD // 5, 8 * WEEK, 6 * WAD // 5, 4 * WAD // 5, WAD // 20
)
STRIKE = 2_000 * WAD
kinds = st.sampled_from(ShortKind)
spots = st.integers(100 * WAD, 20_000 * WAD)
lasting = st.integers(0, 60 * WEEK)
amounts = st.integers(1, 1_000 * WAD)


def test_products_and_quotients_round_halves_away_from_zero() -> None:
    assert times(5 * ONE // 10, 1) == 1 and times(-5 * ONE // 10, 1) == -1
    assert times(4 * ONE // 10, 1) == 0 == times(-4 * ONE // 10, 1)
    assert over(1, 2 * ONE) == 1 and over(-1, 2 * ONE) == -1 and over(1, -2 * ONE) == -1
    assert over(2, 3 * ONE) == 1 and over(1, 3 * ONE) == 0
    # Cut to one digit more than is kept: 0.4999… is no half.
    assert times(4_999 * ONE // 10_000, 1) == 0


@given(st.integers(-40 * ONE, 40 * ONE))
def test_exponentials_and_logarithms_invert_each_other(x: int) -> None:
    assert exponential(x) / ONE == pytest.approx(exp(x / ONE), rel=1e-14, abs=2e-18)
    if x > ONE:
        assert logarithm(x) / ONE == pytest.approx(log(x / ONE), rel=1e-14, abs=2e-18)
        assert square_root(x) / ONE == pytest.approx(sqrt(x / ONE), rel=1e-14)


def test_what_has_no_logarithm_or_exponential_is_refused() -> None:
    with pytest.raises(MarginError, match="no logarithm"):
        logarithm(10**9 - 1)
    with pytest.raises(MarginError, match="too large"):
        exponential(136 * ONE)
    assert exponential(-43 * ONE) == 0 and logarithm(ONE) == 0
    # The library's own: a unit of the 18th decimal short.
    assert exponential(0) == ONE - 10**9


@given(st.integers(-9 * ONE, 9 * ONE))
def test_the_normal_distribution_has_its_tails(x: int) -> None:
    assert normal_cdf(x) / ONE == pytest.approx(erfc(-x / ONE / sqrt(2)) / 2, rel=1e-9, abs=1e-17)
    assert normal_cdf(x) + normal_cdf(-x) == ONE or x == 0


def test_beyond_four_and_a_half_deviations_something_is_left() -> None:
    assert normal_cdf(-5 * ONE) > 10**20 and normal_cdf(-9 * ONE) > 0
    assert normal_cdf(-38 * ONE) == 0 and normal_cdf(38 * ONE) == ONE


@given(spots, st.integers(60, 60 * WEEK), st.integers(WAD // 10, 3 * WAD), st.integers(-WAD // 5, WAD // 5))
def test_prices_are_those_of_black_and_scholes(spot: int, seconds: int, volatility: int, rate: int) -> None:
    ours = option_prices(seconds, volatility, spot, STRIKE, rate)
    years = seconds / (365 * DAY)
    for price, is_call in zip(ours, (True, False), strict=True):
        theirs = black_scholes.price(spot / WAD, 2_000, years, volatility / WAD, is_call, rate / WAD)
        assert price / WAD == pytest.approx(float(theirs), rel=1e-9, abs=1e-9)


@given(kinds, spots, lasting, amounts)
def test_a_minimum_is_between_its_floor_and_what_covers_everything(
    kind: ShortKind, spot: int, seconds: int, amount: int
) -> None:
    minimum = TERMS.minimum_collateral(kind, STRIKE, seconds, spot, amount)
    floor = TERMS.static_base if kind is ShortKind.CALL_BASE else TERMS.static_quote
    whole = {ShortKind.CALL_BASE: amount, ShortKind.PUT_QUOTE: amount * STRIKE // WAD}
    covered = whole.get(kind, 10**60)
    assert min(floor, covered) <= minimum <= covered


@given(kinds, lasting, st.integers(WAD // 10, 100 * WAD), st.integers(1, 90))
def test_a_short_breaks_at_one_spot(kind: ShortKind, seconds: int, amount: int, percent: int) -> None:
    worth = amount if kind is ShortKind.CALL_BASE else amount * STRIKE // WAD
    collateral = worth * percent // 100
    broken = breaking_spot(TERMS, kind, STRIKE, seconds, amount, collateral)
    floor = TERMS.static_base if kind is ShortKind.CALL_BASE else TERMS.static_quote
    if collateral < min(floor, worth):
        assert broken is None
        return
    assert broken is not None
    step = -1 if kind is ShortKind.PUT_QUOTE else 1

    def minimum(spot: int) -> int:
        return TERMS.minimum_collateral(kind, STRIKE, seconds, spot, amount)

    assert minimum(broken - step) <= collateral < minimum(broken)
    assert minimum(broken + step * broken // 1_000) > collateral


def test_what_is_covered_whole_never_breaks() -> None:
    for kind, whole in ((ShortKind.CALL_BASE, WAD), (ShortKind.PUT_QUOTE, STRIKE)):
        assert breaking_spot(TERMS, kind, STRIKE, DAY, WAD, whole) is None


def test_shock_volatility_falls_in_a_line_between_its_points() -> None:
    times_and_volatility = {0: 250, 2 * WEEK: 250, 5 * WEEK: 215, 8 * WEEK: 180, 80 * WEEK: 180}
    for seconds, percent in times_and_volatility.items():
        assert TERMS.shock_volatility(seconds) == percent * WAD // 100
    assert TERMS.minimum_collateral(ShortKind.CALL_QUOTE, STRIKE, DAY, STRIKE, 0) == 0


def test_terms_that_no_contract_takes_are_refused() -> None:
    with pytest.raises(MarginError, match="from A to B"):
        replace(TERMS, volatility_b=3 * WAD)
    with pytest.raises(MarginError, match="from A to B"):
        replace(TERMS, point_a=9 * WEEK)
    with pytest.raises(MarginError, match="static_quote"):
        replace(TERMS, static_quote=0)
    with pytest.raises(MarginError, match="strike"):
        TERMS.minimum_collateral(ShortKind.CALL_QUOTE, 0, DAY, STRIKE, WAD)
