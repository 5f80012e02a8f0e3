"""Averages before an expiry: what is fixed, what moves, and which rounds of a feed make a price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.markets import Surface, deviation
from keeper.margin.portfolio.clearinghouse.settlement import (
    WINDOW,
    ExpiryAverage,
    FeedRound,
    averaged_part,
    observed,
    settled_by_rounds,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

EXPIRY = 1_750_000_000
START = EXPIRY - WINDOW
PRICE = 2_000 * 10**9


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 2**62)), min_size=1, max_size=20))
def test_an_observation_leaves_the_forward_where_it_is(steps: list[tuple[int, int]]) -> None:
    average, now = ExpiryAverage(), START
    for wait, index in steps:
        now += wait
        before = _forward(average, index)
        average = observed(average, EXPIRY, index, now)
        # Each share is rounded down, of at most 1,800 parts.
        assert abs(_forward(average, index) - before) <= 2 + index // WAD
    assert average.last == min(now, EXPIRY)


def _forward(average: ExpiryAverage, index: int) -> int:
    settled, opened = averaged_part(average, EXPIRY)
    return settled + index * opened // WAD


def test_a_window_that_has_not_begun_is_not_observed() -> None:
    with pytest.raises(MarginError, match="Wait until then"):
        observed(ExpiryAverage(), EXPIRY, PRICE, START)


def test_twice_in_a_block_and_after_the_end_nothing_happens() -> None:
    once = observed(ExpiryAverage(), EXPIRY, PRICE, START + 9)
    assert observed(once, EXPIRY, 2 * PRICE, START + 9) == once
    whole = observed(once, EXPIRY, PRICE, EXPIRY + 400)
    assert whole.last == EXPIRY and whole.gap == WINDOW + 391
    assert observed(whole, EXPIRY, 9 * PRICE, EXPIRY + 500) == whole
    assert averaged_part(whole, EXPIRY) == (PRICE, 0)


def test_what_is_averaged_does_not_deviate() -> None:
    def of(settled: int, opened: int, left: int) -> int:
        return deviation(Surface(0, EXPIRY, WAD, 0, left, settled, opened), PRICE, PRICE)

    assert of(PRICE // 2, WAD // 2, 900) == of(0, WAD, 900) // 2
    assert of(PRICE, 0, 900) == of(PRICE // 2, WAD // 2, 0) == 0


def _rounds(*given: tuple[int, int]) -> list[FeedRound]:
    return [FeedRound(7 + place, index, START + time) for place, (time, index) in enumerate(given)]


def test_rounds_stand_until_the_next() -> None:
    assert settled_by_rounds(EXPIRY, _rounds((-9, 30), (600, 60), (1_200, 90), (1_801, 5))) == 60
    assert settled_by_rounds(EXPIRY, _rounds((-9, 1), (-5, 30), (1_800, 5))) == 30


@pytest.mark.parametrize(
    "given",
    [
        (),
        ((1, 30), (1_800, 5)),
        ((-9, 30), (1_799, 5)),
    ],
)
def test_rounds_that_do_not_cover_the_window_are_refused(given: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(MarginError, match="round"):
        settled_by_rounds(EXPIRY, _rounds(*given))


def test_rounds_with_a_gap_are_refused() -> None:
    first, _, last = _rounds((-9, 30), (600, 60), (1_801, 5))
    with pytest.raises(MarginError, match="round 9"):
        settled_by_rounds(EXPIRY, [first, last])
    with pytest.raises(MarginError, match="round 8"):
        settled_by_rounds(EXPIRY, [first, FeedRound(8, 5, 0)])
