"""The smallest amount that is enough."""

from __future__ import annotations

from collections.abc import Callable


def least(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest integer in 1…`most` that is enough, where more is never less enough; None if none is."""
    if most < 1 or not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high
