"""How much less than planned may arrive: half of what a trade was to earn, as much again of a loss."""

from __future__ import annotations

import pytest

from keeper.model.plan import Trade

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("pays", "gets", "came", "enough"),
    [
        (1_000, 1_100, 1_100, True),
        (1_000, 1_100, 1_050, True),
        (1_000, 1_100, 1_049, False),
        (1_000, 900, 900, True),
        (1_000, 900, 899, True),
        (1_000, 900, 850, True),
        (1_000, 900, 849, False),
        (1_000, 1_100, 0, False),
    ],
)
def test_a_shortage(pays: int, gets: int, came: int, enough: bool) -> None:
    assert (Trade("0xa", pays, "0xb", gets, gets).shortage(came) == "") == enough


def test_what_comes_to_another_is_not_looked_at() -> None:
    assert Trade("0xa", 10, "0xb", 11).shortage(0) == ""
