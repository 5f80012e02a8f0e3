"""A round that gets no answers breaks off soon, and nothing waits for ever behind what no node tells of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.answers import BusyError
from keeper.execution.turns import UNANSWERED, Turns

pytestmark = pytest.mark.unit


def a_round(turns: Turns, items: list[int], silent: set[int]) -> tuple[list[int], list[int]]:
    """What was asked of, and what nobody answered about."""
    asked, untold = list[int](), list[int]()

    def ask(item: int) -> None:
        asked.append(item)
        if item in silent:
            raise BusyError("indexing", where="node")

    turns.go(items, int, ask, lambda item, _: untold.append(item))
    return asked, untold


def test_with_answers_each_round_asks_of_everything_in_order() -> None:
    turns = Turns()
    for _ in range(3):
        assert a_round(turns, [4, 5, 6, 7], {5, 6}) == ([4, 5, 6, 7], [5, 6])


def test_without_answers_a_round_asks_of_a_few_and_the_next_goes_on_behind_them() -> None:
    turns, items = Turns(), list(range(1, 9))
    assert a_round(turns, items, set(items)) == ([1, 2, 3], [1, 2, 3])
    assert a_round(turns, items, set(items))[0] == [4, 5, 6]
    assert a_round(turns, items, set(items))[0] == [7, 8, 1]


@given(st.lists(st.integers(1, 60), unique=True, max_size=40).map(sorted), st.data())
def test_everything_is_asked_of_within_one_time_round(items: list[int], data: st.DataObject) -> None:
    silent = set(data.draw(st.lists(st.sampled_from(items), unique=True)) if items else [])
    turns, seen = Turns(), set[int]()
    for _ in range(len(silent) // UNANSWERED + 1):
        asked, untold = a_round(turns, items, silent)
        assert len(untold) <= UNANSWERED
        assert len(set(asked)) == len(asked)
        seen |= set(asked)
    assert seen == set(items)


def test_what_is_new_or_gone_between_two_rounds_confuses_nothing() -> None:
    turns = Turns()
    a_round(turns, [1, 2, 3, 4, 5], {1, 2, 3})
    assert a_round(turns, [2, 4, 9], set())[0] == [4, 9, 2]
    assert a_round(turns, [2, 4, 9], set())[0] == [2, 4, 9]
