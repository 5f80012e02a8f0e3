"""The average of Perp v2's index, by hand: where an answer was noted in time, and where it was not."""

from __future__ import annotations

import pytest

from keeper.errors import MarginError
from keeper.margin.perps.perp_v2_index import IndexObservation, index_average

pytestmark = pytest.mark.unit

# 100 from the start, 200 from 1,000 seconds on, 400 from 1,600 on.
NOTED = [
    IndexObservation(100, 0, 0),
    IndexObservation(200, 100_000, 1_000),
    IndexObservation(400, 220_000, 1_600),
]


@pytest.mark.parametrize(
    ("interval", "now", "average"),
    [
        (0, 2_000, 400),
        (400, 2_000, 400),
        (800, 2_000, 300),
        (1_000, 2_000, 280),
        (1_500, 2_000, (500 * 100 + 600 * 200 + 400 * 400) // 1_500),
        (2_000, 2_000, 190),
        (2_001, 2_000, 400),
        (300, 9_000, 400),
    ],
)
def test_each_price_counts_for_its_seconds(interval: int, now: int, average: int) -> None:
    assert index_average(NOTED, 400, 1_600, interval, now) == average


def test_an_answer_not_yet_noted_counts_from_its_time() -> None:
    assert index_average(NOTED, 800, 2_000, 300, 2_200) == (100 * 400 + 200 * 800) // 300


def test_an_answer_never_noted_leads_astray_and_then_to_nothing() -> None:
    # Answered 900 seconds ago, of which 600 lie before the interval: 600 · (500 − 400) too much.
    assert index_average(NOTED, 500, 2_000, 300, 2_900) == 500 + 600 * 100 // 300
    assert index_average(NOTED, 300, 2_000, 300, 2_900) == 300 - 600 * 100 // 300
    with pytest.raises(MarginError, match="reverts"):
        index_average(NOTED, 300, 2_000, 300, 4_000)


def test_a_feed_without_history_has_its_newest_answer() -> None:
    assert index_average([], 300, 2_000, 300, 2_900) == 300
