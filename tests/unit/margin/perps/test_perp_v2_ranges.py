"""A maker's ranges on Perp v2: what they hold, their fees, and their part in funding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.margin.perps.perp_v2 import total_debt_value
from keeper.margin.perps.perp_v2_market import Q96, PremiumGrowth
from keeper.margin.perps.perp_v2_ranges import (
    MakerRange,
    RangeGrowth,
    TickGrowth,
    held_base,
    held_quote,
    maker_position,
    pending_fee,
    range_funding,
    range_growth,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

# From 100 to 144: 600 of liquidity is 10 of base below it, 1,200 of quote above.
RANGE = MakerRange(10 * Q96, 12 * Q96, 600 * WAD, 0, 0, RangeGrowth())


def test_a_range_is_base_below_its_price_and_quote_above() -> None:
    assert held_base(RANGE, 9 * Q96) == 10 * WAD and held_quote(RANGE, 9 * Q96) == 0
    assert held_base(RANGE, 13 * Q96) == 0 and held_quote(RANGE, 13 * Q96) == 1_200 * WAD
    within = held_base(RANGE, 11 * Q96)
    assert 0 <= 600 * WAD * (12 - 11) // (12 * 11) - within <= 1
    assert held_quote(RANGE, 11 * Q96) == 600 * WAD


@given(st.integers(8 * Q96, 14 * Q96), st.integers(1, Q96))
def test_a_rising_price_only_turns_base_into_quote(root: int, rise: int) -> None:
    assert held_base(RANGE, root + rise) <= held_base(RANGE, root)
    assert held_quote(RANGE, root + rise) >= held_quote(RANGE, root)


def test_what_a_range_borrowed_is_owed_whatever_it_holds() -> None:
    made = replace(RANGE, base_debt=4 * WAD, quote_debt=700 * WAD)
    position = maker_position(-WAD, 100 * WAD, [made], 9 * Q96, 80 * WAD)
    assert position.size == 5 * WAD
    assert position.quote == -600 * WAD
    assert total_debt_value([position]) == 5 * 80 * WAD + 600 * WAD
    higher = maker_position(-WAD, 100 * WAD, [made], 13 * Q96, 150 * WAD)
    assert (higher.size, higher.quote) == (-5 * WAD, 600 * WAD)
    assert total_debt_value([higher]) == 5 * 150 * WAD + 600 * WAD


def test_less_than_dust_is_no_position() -> None:
    assert maker_position(9, 0, [], Q96, WAD).size == 0
    assert maker_position(-10, 0, [], Q96, WAD).size == -10


def test_fees_are_those_that_grew_inside_since_even_past_the_words_end() -> None:
    growth = range_growth(TickGrowth(fee=2**256 - 5 * 2**128), TickGrowth(), 0, PremiumGrowth(), 2 * 2**128)
    assert growth.fee_inside == 7 * 2**128
    assert (
        pending_fee(replace(RANGE, settled=RangeGrowth(fee_inside=2**256 - 2**128)), growth) == 8 * 600 * WAD
    )


@pytest.mark.parametrize(
    ("side", "inside", "below"),
    # 100 grew in all, 10 beyond the lower tick and 25 beyond the upper.
    [(-1, -15, 90), (0, 65, 10), (1, 15, 10)],
)
def test_growth_inside_follows_from_what_is_kept_at_the_ticks(side: int, inside: int, below: int) -> None:
    bounds = (TickGrowth(10, 10, 10), TickGrowth(25, 25, 25))
    growth = range_growth(*bounds, side, PremiumGrowth(100, 100), 100)
    assert (growth.premium_inside, growth.premium_below) == (inside, below)
    assert growth.premium_over_root_inside == inside
    assert growth.fee_inside == inside % 2**256


def test_premium_below_a_range_is_paid_on_all_its_base_and_above_it_on_none() -> None:
    below = RangeGrowth(premium_below=3 * Q96)
    assert range_funding(RANGE, below) == 30 * WAD
    # Inside, at the root 12 of the upper bound, the range holds nothing.
    inside = RangeGrowth(premium_inside=3 * 12 * Q96, premium_over_root_inside=3 * Q96)
    assert range_funding(RANGE, inside) == 0
    assert range_funding(RANGE, RangeGrowth(premium_over_root_inside=-Q96)) == -600 * WAD
