"""Redemptions are due by age: blocks that nobody looked at delay nothing."""

from __future__ import annotations

import pytest

from keeper.chain.blocks import Head
from keeper.service.planning.redemptions import EVERY_SECONDS, due
from keeper.store.tables.watching import Episode

pytestmark = pytest.mark.unit


def head(number: int, timestamp: int) -> Head:
    return Head(number, "0x1", "0x0", timestamp, 0, 0)


def claims(looked_at: int | None) -> Episode:
    return Episode(
        market="m",
        account="a",
        threshold="redeem",
        opened_block=7,
        opened_health=0,
        lowest_health=0,
        looked_at=looked_at,
    )


@pytest.mark.parametrize("number", [8, 9, 10, 11, 12, 13, 1000])
def test_no_block_number_need_be_met(number: int) -> None:
    assert due(claims(None), head(number, 1000))
    assert due(claims(1000), head(number, 1000 + EVERY_SECONDS))
    assert not due(claims(1000), head(number, 1000 + EVERY_SECONDS - 1))


def test_a_chain_that_went_back_in_time_is_looked_at() -> None:
    assert due(claims(2000), head(9, 1000))
