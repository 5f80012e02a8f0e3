"""What lasts is said at its beginning, when it changes, and once a minute."""

from __future__ import annotations

import pytest

from keeper.service.reporting.log_throttle import LogThrottle

pytestmark = pytest.mark.unit


def test_the_same_words_are_said_once_a_minute_and_others_at_once() -> None:
    now = [0.0]
    throttle = LogThrottle(lambda: now[0])
    said = []
    for second in range(130):
        now[0] = float(second)
        if throttle.should_log("node", "dead" if second < 125 else "slow"):
            said.append(second)
    assert said == [0, 60, 120, 125]
    assert throttle.should_log("other node", "slow")


def test_what_is_over_is_said_anew() -> None:
    throttle = LogThrottle(lambda: 0.0)
    assert throttle.should_log("node", "dead") and not throttle.should_log("node", "dead")
    assert throttle.clear("node") and not throttle.clear("node")
    assert throttle.should_log("node", "dead")
