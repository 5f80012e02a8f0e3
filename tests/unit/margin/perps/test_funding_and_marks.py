"""Funding rates, mark prices and the deleveraging queue."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keeper.errors import MarginError
from keeper.margin.interface import Array
from keeper.margin.perps import adl, funding, mark

pytestmark = pytest.mark.unit

premiums = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-0.02, 0.02))


@given(premiums, st.floats(-0.001, 0.001))
def test_bitmex_funding_stays_within_the_clamp_of_the_premium(premium: Array, interest: float) -> None:
    rate = funding.bitmex_rate(premium, interest)
    assert (np.abs(rate - premium) <= 0.0005 + 1e-15).all()
    near = np.abs(interest - premium) <= 0.0005
    assert rate[near] == pytest.approx(np.full(near.sum(), interest), abs=1e-15)


@given(premiums)
def test_deribit_funding_is_zero_inside_its_damper_and_odd_outside(premium: Array) -> None:
    rate = funding.deribit_rate(premium)
    assert (rate[np.abs(premium) <= 0.00025] == 0).all()
    assert funding.deribit_rate(-premium) == pytest.approx(-rate)
    assert (np.abs(rate) <= 0.005).all()


@given(premiums)
def test_arrays_give_what_scalars_give(premium: Array) -> None:
    for formula in (funding.deribit_rate, lambda p: funding.bitmex_rate(p, 0.0001)):
        assert formula(premium).tolist() == [float(formula(float(each))) for each in premium]


def test_deribit_pays_a_rate_of_eight_hours_by_the_second() -> None:
    assert funding.deribit_payment([0.001], [8 * 3600], 10.0) == pytest.approx(0.01)
    assert funding.deribit_payment([0.001, 0.0], [3600, 3600], 10.0) == pytest.approx(0.01 / 8)


def test_an_inverse_contract_gains_what_its_value_in_coins_loses() -> None:
    assert funding.inverse_pnl(1_000, 100, 200) == pytest.approx(5.0)
    assert funding.inverse_pnl(-1_000, 100, 200) == pytest.approx(-5.0)


prices = st.floats(1, 1e6)


@given(prices, prices, prices)
def test_the_median_of_three_is_moved_by_none_of_them_alone(one: float, two: float, three: float) -> None:
    marked = mark.median_mark(one, two, three)
    assert marked == sorted((one, two, three))[1]
    assert mark.median_mark(1e12, two, three) <= max(two, three)


def test_curies_third_candidate_is_index_and_premium() -> None:
    assert mark.curie_mark(105.0, 90.0, 100.0, 1.0) == 101.0


@given(prices, st.floats(-1, 1), st.floats(0, 0.5))
def test_the_premium_is_clamped(index: float, premium: float, limit: float) -> None:
    marked = float(mark.clamped_premium_mark(index, premium, limit))
    assert abs(marked / index - 1) <= limit + 1e-12


def test_a_twap_weighs_each_price_by_how_long_it_held() -> None:
    assert mark.twap([100.0, 200.0], [30, 10]) == pytest.approx(125.0)


def test_the_most_levered_profit_is_closed_first_and_losers_last() -> None:
    size, entry, equity = [-10.0, -10.0, -10.0, 10.0], [100.0, 100.0, 80.0, 100.0], [50.0, 500.0, 50.0, 9.0]
    order = adl.queue(size, entry, 90.0 * np.ones(4), equity, against_long=True)
    assert order.tolist() == [0, 1, 2]
    assert adl.queue(size, entry, 90.0 * np.ones(4), equity, against_long=False).tolist() == [3]


@given(st.integers(1, 20), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_deleveraging_closes_what_is_asked_and_fills_the_queue_in_order(
    count: int, share: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    size = -generator.uniform(0.1, 10, count)
    entry, equity = generator.uniform(90, 110, count), generator.uniform(1, 100, count)
    order = adl.queue(size, entry, np.full(count, 95.0), equity, against_long=True)
    amount = share * float(-size.sum()) * (1 - 1e-12)
    closed = adl.deleverage(order, size, amount)
    assert closed.sum() == pytest.approx(amount)
    partly = [i for i in order if 0 < closed[i] < -size[i] - 1e-12]
    assert len(partly) <= 1


def test_deleveraging_at_bankruptcy_costs_the_winners_exactly_the_shortfall() -> None:
    size, entry, now, bankrupt = Fraction(-500), Fraction(1), Fraction(2), Fraction(6, 5)
    shortfall = -(100 + adl.settle_at(now, size, entry))
    forgone = adl.settle_at(now, -size, entry) - adl.settle_at(bankrupt, -size, entry)
    assert forgone == shortfall


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("premium", lambda: funding.deribit_rate(float("nan"))),
        ("price", lambda: funding.inverse_value(1.0, 0.0)),
        ("seconds", lambda: funding.deribit_payment([0.1], [-1.0], 1.0)),
        ("intervals_per_day", lambda: funding.BitmexTerms(intervals_per_day=0)),
        ("prices", lambda: mark.median_mark()),
        ("prices[1]", lambda: mark.median_mark(1.0, -1.0)),
        ("limit", lambda: mark.clamped_premium_mark(1.0, 0.0, -1.0)),
        ("seconds", lambda: mark.twap([1.0], [0.0])),
        ("equity", lambda: adl.scores([1.0], [1.0], [1.0], [0.0])),
        ("amount", lambda: adl.deleverage(np.array([0]), [1.0], 2.0)),
    ],
)
def test_bad_input_names_its_field(field: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        call()
    assert refused.value.field == field
