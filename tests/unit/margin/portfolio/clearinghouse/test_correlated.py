"""Joint scenarios made from correlations."""

from __future__ import annotations

import pytest

from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.correlated import joint_rows, wider_rows

pytestmark = pytest.mark.unit

TWO = [[1.0, 0.5, 1.0], [0.5, 1.0, 0.5], [1.0, 0.5, 1.0]]
"""Two underlyings and a collateral that is the first of them."""


def test_everything_moves_by_its_correlation_with_the_driver() -> None:
    rows = joint_rows(TWO, 2)
    assert (-10_000, 10_000, -2_500, -5_000, 10_000, -2_500, -10_000) in rows, "the first drives"
    assert (5_000, 0, 2_500, 10_000, 0, 2_500, 5_000) in rows, "the second drives"
    assert rows[0] == (0, 10_000, 0, 0, 10_000, 0, 0)


def test_no_scenario_is_there_twice() -> None:
    rows = joint_rows(TWO, 2)
    assert len(set(rows)) == len(rows) == 3 + 2 * 4 * 3, "the collateral drives what the first does"


def test_wider_ones_are_beyond_all_of_the_maintenance_set() -> None:
    widest = max(abs(step) for row in joint_rows(TWO, 2) for step in row)
    assert all(max(map(abs, row)) == 15_000 > widest for row in wider_rows(TWO, 2))


@pytest.mark.parametrize(
    "wrong",
    [[[1.0, 0.5], [0.4, 1.0]], [[1.0, 2.0], [2.0, 1.0]], [[0.9]], [[1.0, 0.5]]],
    ids=["not symmetric", "above one", "no one on the diagonal", "not square"],
)
def test_what_is_no_matrix_of_correlations_is_refused(wrong: list[list[float]]) -> None:
    with pytest.raises(MarginError, match="correlation"):
        joint_rows(wrong, 1)


def test_more_scenarios_than_a_set_may_have_are_refused() -> None:
    eight = [[1.0 if i == j else 0.0 for j in range(8)] for i in range(8)]
    with pytest.raises(MarginError, match="at most"):
        joint_rows(eight, 8)
