"""Bisection over the integers: where a condition changes, and the least integer that is enough."""

from __future__ import annotations

from collections.abc import Callable


def edge(holds: Callable[[int], bool], inside: int, outside: int) -> int:
    """The last integer from `inside`, where the condition holds, towards `outside`, where it does not; it
    changes once between them. Neither end is tested."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside


def least(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest integer in 1…`most` that is enough, where more is never less enough; None if none is."""
    return edge(enough, most, 0) if most >= 1 and enough(most) else None
