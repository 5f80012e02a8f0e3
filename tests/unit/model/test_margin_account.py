"""A margin account: what is compared, and that the division of a ratio decides nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.model.money import WAD
from keeper.model.valuation import Valuation, ratio_down
from keeper.policy.levels import is_below
from keeper.service.watching.comparison import compare

pytestmark = pytest.mark.unit

WHO = "0x" + "aa" * 20
AMOUNTS = st.integers(-(10**30), 10**30)


def account(equity: int, maintenance: int, **parts: int) -> Valuation:
    health = ratio_down(equity, maintenance)
    return Valuation(WHO, equity, maintenance, equity, equity < maintenance, None, health, parts)


@given(AMOUNTS, st.integers(1, 10**30), st.integers(1, 3 * WAD))
def test_below_a_level_is_equity_below_level_times_maintenance(
    equity: int, required: int, level: int
) -> None:
    assert is_below(account(equity, required), level) == (equity * WAD < level * required)


@given(st.integers(1, 10**30), st.integers(-2, 2), st.integers(1, 3 * WAD))
def test_the_same_at_the_edge_to_the_unit(required: int, off: int, level: int) -> None:
    equity = required * level // WAD + off
    assert is_below(account(equity, required), level) == (equity * WAD < level * required)


@given(AMOUNTS, st.integers(1, 3 * WAD))
def test_where_nothing_is_required_nobody_is_below(equity: int, level: int) -> None:
    free = Valuation(WHO, equity, 0, equity, liquidatable=False)
    assert free.health is None and not is_below(free, level)


def test_at_one_the_protocols_verdict_decides_whatever_the_ratio_says() -> None:
    flagged = replace(account(3, 2), liquidatable=True)
    assert is_below(flagged, WAD) and not is_below(flagged, WAD + 1)


@pytest.mark.parametrize(
    "other",
    [
        {"equity": 4},
        {"maintenance": 3},
        {"net": 0},
        {"liquidatable": True},
        {"initial": 1},
        {"health": 2 * WAD},
        {"parts": {"debt": 2, "collateral": 5}},
        {"parts": {"debt": 2}},
    ],
)
def test_a_difference_in_any_field_or_part_is_told_with_both_numbers(other: dict[str, object]) -> None:
    ours = account(3, 2, debt=2, collateral=4)
    assert compare([ours], {WHO: account(3, 2, collateral=4, debt=2)}) == ""
    theirs = replace(ours, **other)  # type: ignore[arg-type]
    told = compare([ours], {WHO: theirs})
    assert WHO in told and "equity 3, maintenance 2" in told and " against " in told
    first, second = told.split(" against ")
    assert first.split(": ", 1)[1] != second
