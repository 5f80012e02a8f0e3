"""Perp v2: margins, free collateral and how much of a position may be liquidated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.perps.perp_v2 import (
    CurieTerms,
    Position,
    free_collateral,
    liquidatable_size,
    liquidation_penalty,
    requirement,
    total_debt_value,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit


def long(coins: int, entry: int, mark: int) -> Position:
    return Position(coins * WAD, -coins * entry * WAD, mark * WAD, mark * WAD)


positions = st.builds(
    Position,
    st.integers(-(10**6), 10**6).map(lambda n: n * WAD // 100),
    st.integers(-(10**7), 10**7).map(lambda n: n * WAD),
    st.integers(1, 10**4).map(lambda n: n * WAD),
    st.integers(1, 10**4).map(lambda n: n * WAD),
)


def test_a_long_owes_its_quote_and_a_short_its_base() -> None:
    assert total_debt_value([long(10, 100, 120)]) == 1_000 * WAD
    assert total_debt_value([long(-10, 100, 120)]) == 1_200 * WAD


@given(st.lists(positions, min_size=1, max_size=4), st.integers(0, 10**8))
def test_equity_reaches_initial_exactly_where_collateral_is_free(held: list[Position], dollars: int) -> None:
    needed = requirement(held, dollars * WAD)
    free = free_collateral(held, dollars * WAD, CurieTerms().im_ratio)
    assert (needed.equity >= needed.initial) is (free >= 0)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("account_value", "taken"),
    [(625, 0), (624, 50), (313, 50), (312, 100)],
)
def test_half_is_liquidated_until_half_of_maintenance_is_gone(account_value: int, taken: int) -> None:
    """One position of 100 coins at 100: maintenance 625, half of it 312.5."""
    held = long(100, 100, 100)
    assert liquidatable_size(held, [held], account_value * WAD) == taken * WAD


def test_small_positions_and_small_parts_of_an_account_are_liquidated_whole() -> None:
    dust, large = long(1, 100, 100), long(-1_000, 100, 100)
    assert liquidatable_size(dust, [dust], 6 * WAD) == WAD
    value = requirement([dust, large], 0).maintenance
    small = long(10, 100, 100)
    assert liquidatable_size(small, [small, large], int(value) - WAD) == 10 * WAD


@given(positions, st.integers(-(10**6), 10**6))
def test_what_is_liquidated_has_the_positions_sign_and_at_most_its_size(held: Position, dollars: int) -> None:
    taken = liquidatable_size(held, [held], dollars * WAD)
    assert abs(taken) <= abs(held.size)
    assert taken * held.size >= 0


def test_the_penalty_is_its_ratio_of_the_notional() -> None:
    assert liquidation_penalty(1_000 * WAD) == 25 * WAD


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("mm_ratio", lambda: CurieTerms(im_ratio=1, mm_ratio=2)),
        ("mark", lambda: Position(1, 1, -1, 1)),
        ("size", lambda: Position(1.5, 1, 1, 1)),  # type: ignore[arg-type]
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
