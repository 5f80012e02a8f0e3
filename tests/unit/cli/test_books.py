"""Amounts in the exported books: exact, plain, and no digit more."""

from __future__ import annotations

import pytest

from keeper.cli.books import _signed, _whole

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (-1_500_000, 6, "-1.5"),
        (100 * 10**18, 18, "100"),
        (12345678901234567890123456789012345678, 18, "12345678901234567890.123456789012345678"),
        (7, 0, "7"),
    ],
)
def test_units_are_written_plainly_and_exactly(units: int, decimals: int, text: str) -> None:
    assert _whole(units, decimals) == text


def test_what_came_has_a_plus() -> None:
    assert (_signed(5, 1), _signed(-5, 1), _signed(0, 1)) == ("+0.5", "-0.5", "0")
