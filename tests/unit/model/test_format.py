"""Numbers for people lose no sign and never read as more than they are."""

from __future__ import annotations

import pytest

from keeper.model.format import format_amount, format_amount_short, format_health, format_money

pytestmark = pytest.mark.unit

WAD = 10**18


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (None, "no debt"),
        (0, "0.0000"),
        (WAD - 1, "0.9999"),
        (WAD, "1.0000"),
        (-WAD // 2, "-0.5000"),
        (-WAD * 3 // 2, "-1.5000"),
        (-1, "-0.0000"),
    ],
)
def test_health(health: int | None, said: str) -> None:
    assert format_health(health) == said


def test_amounts() -> None:
    assert [format_amount(n, 6) for n in (0, 1, 1_500_000, -1_500_000)] == ["0", "0.000001", "1.5", "-1.5"]
    assert (format_amount(7, 0), format_amount(100 * WAD, 18), format_amount(1, 18)) == (
        "7",
        "100",
        "0.000000000000000001",
    )
    assert (
        format_amount(12345678901234567890123456789012345678, 18) == "12345678901234567890.123456789012345678"
    )
    assert format_amount_short(-1_234_567_891, 6) == "-1,234.5678" and format_amount_short(7, 0) == "7"


def test_money() -> None:
    assert format_money(-WAD * 1234) == "-1,234.00" and format_money(WAD // 10**4) == "0.0001"
