"""A condition's edge is found to the unit, in either direction, without asking about the ends."""

from __future__ import annotations

import pytest

from keeper.model.bisection import edge, least

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("last", [0, 1, 2, 500, 998, 999])
def test_the_last_that_holds_is_found_from_below_and_from_above(last: int) -> None:
    asked = list[int]()

    def up_to(number: int) -> bool:
        asked.append(number)
        return number <= last

    assert edge(up_to, 0, 1000) == last
    assert edge(lambda number: not up_to(number), 1000, -1) == last + 1
    assert not {-1, 1000} & set(asked)


@pytest.mark.parametrize(("enough_from", "found"), [(-5, 1), (1, 1), (7, 7), (10, 10), (11, None)])
def test_the_least_that_is_enough(enough_from: int, found: int | None) -> None:
    assert least(lambda number: number >= enough_from, 10) == found


def test_of_nothing_nothing_is_enough() -> None:
    assert least(lambda number: True, 0) is None
