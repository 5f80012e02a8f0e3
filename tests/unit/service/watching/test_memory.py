"""What is remembered of a market: when it is watched only, and when it is tried again."""

from __future__ import annotations

import pytest

from keeper.service.watching.memory import FIRST_RETRY, LAST_RETRY, WatchOnly

pytestmark = pytest.mark.unit


def test_the_first_reason_stays_and_the_value_before_is_untouched() -> None:
    before = WatchOnly()
    halted = before.stop("first", 100).stop("second", 101)
    assert halted.reason == "first" and before == WatchOnly()
    parts = before.suspend({"a": "one"}, 100).suspend({"a": "two", "b": "three"}, 101)
    assert parts.parts == {"a": "one", "b": "three"} and not parts.reason


def test_each_failed_try_waits_twice_as_long_up_to_the_longest() -> None:
    halted, time, waits = WatchOnly(), 1_000, []
    for _ in range(9):
        halted = halted.lifted().stop("it differs", time)
        waits.append(halted.retry_wait)
        assert not halted.is_retry_due(halted.retry_at - 1) and halted.is_retry_due(halted.retry_at)
        time = halted.retry_at
    assert waits[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert waits[-1] == LAST_RETRY and waits == sorted(waits)


def test_a_second_difference_before_the_try_is_due_doubles_nothing() -> None:
    halted = WatchOnly().stop("it differs", 1_000)
    assert halted.stop("again", 1_001).retry_wait == FIRST_RETRY
    assert halted.suspend({"a": "too"}, 1_001).retry_at == halted.retry_at
    assert halted.suspend({}, 5_000) is halted


def test_a_market_that_went_well_for_long_begins_with_the_shortest_wait() -> None:
    halted = WatchOnly().stop("it differs", 1_000)
    halted = halted.lifted().stop("it differs", halted.retry_at)
    assert halted.retry_wait == 2 * FIRST_RETRY
    later = halted.retry_at + LAST_RETRY + 1
    assert halted.lifted().stop("once more", later).retry_wait == FIRST_RETRY


def test_nothing_is_due_where_everything_may_be_acted_in() -> None:
    lifted = WatchOnly().stop("it differs", 1_000).lifted()
    assert not lifted.is_retry_due(10**12) and not lifted.reason and not lifted.parts
