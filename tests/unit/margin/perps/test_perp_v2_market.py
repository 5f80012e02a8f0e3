"""A Perp v2 market: prices of its pool, the mark and funding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.perps.perp_v2_market import (
    Q96,
    PremiumGrowth,
    accrue_premium,
    funding_payment,
    mark_price,
    mean_tick,
    pool_price,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

DAY = 86_400
# Roots of 100, 121 and 144.
HUNDRED, HIGHER, HIGHEST = 10 * Q96, 11 * Q96, 12 * Q96


def test_a_root_is_squared() -> None:
    assert [pool_price(root) for root in (HUNDRED, HIGHER, HIGHEST)] == [100 * WAD, 121 * WAD, 144 * WAD]


def test_a_mean_tick_is_cut_towards_zero() -> None:
    assert mean_tick(0, 31, 15) == 2
    assert mean_tick(0, -31, 15) == -2


@pytest.mark.parametrize(
    ("short", "long", "index", "mark"),
    [(HUNDRED, HIGHEST, 120, 121), (HUNDRED, HIGHER, 150, 121), (HIGHER, HIGHEST, 90, 121)],
)
def test_the_mark_is_the_middle_of_three(short: int, long: int, index: int, mark: int) -> None:
    # The pool's premium over the index's average is 1.
    assert mark_price(short, long, HUNDRED, index * WAD, 99 * WAD) == mark * WAD


def test_an_index_below_zero_with_its_premium_has_no_mark() -> None:
    with pytest.raises(MarginError, match="below zero"):
        mark_price(HUNDRED, HUNDRED, HUNDRED, 10 * WAD, 200 * WAD)


def test_the_premium_grows_by_the_second_and_by_a_tenth_of_the_index_a_day_at_most() -> None:
    start = PremiumGrowth(5, 7, time=1_000)
    grown = accrue_premium(start, HIGHER, 119 * WAD, HUNDRED, 100_000, 1_000 + DAY)
    assert grown.premium - start.premium == 2 * Q96 * DAY
    assert grown.premium_over_root - start.premium_over_root == 2 * Q96 * DAY // 10
    for index, capped in ((60, 6), (400, -40)):
        grown = accrue_premium(start, HIGHER, index * WAD, HUNDRED, 100_000, 1_000 + DAY)
        assert grown.premium - start.premium == capped * Q96 * DAY
    assert accrue_premium(start, HIGHER, 1, HUNDRED, 100_000, 1_000) == start
    never = PremiumGrowth()
    assert accrue_premium(never, HIGHER, 1, HUNDRED, 100_000, 1_000) == never


def test_who_is_long_pays_the_premium_of_a_day() -> None:
    growth = PremiumGrowth(premium=(3 + 2 * DAY) * Q96)
    assert funding_payment(10 * WAD, growth, 3 * Q96) == 20 * WAD
    assert funding_payment(-10 * WAD, growth, 3 * Q96) == -20 * WAD


@given(st.integers(-(10**24), 10**24), st.integers(-(10**40), 10**40))
def test_funding_is_cut_towards_zero(base: int, premium: int) -> None:
    growth = PremiumGrowth(premium=premium)
    assert funding_payment(base, growth, 0) == -funding_payment(-base, growth, 0)
