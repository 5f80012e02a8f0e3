"""Our numbers held against the contract's: what a difference stops, and what goes on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.chain.blocks import Head
from keeper.model.valuation import Valuation
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.memory import BLANK, WatchOnly
from keeper.service.watching.value import compared

pytestmark = pytest.mark.unit

HEAD = Head(7, "0x07", "0x06", 1_000, 1, 30_000_000)
# Keys of this market are "account" or "account/part".
MARKET: Any = SimpleNamespace(adapter=SimpleNamespace(part=lambda account: account.partition("/")[2]))
ONE = Valuation("one", 120, 100, 50, False, None, 12 * 10**17, {"collateral": 150, "debt": 100})


def held_against(own: list[Valuation], views: list[Valuation], reverted: tuple[str, ...] = ()) -> WatchOnly:
    at = MarketValuation(HEAD, own, BLANK)
    return compared(MARKET, WatchOnly(), at, {view.account: view for view in views}, reverted)


def test_equal_numbers_stop_nothing() -> None:
    assert held_against([ONE], [replace(ONE)]) == WatchOnly()
    assert held_against([ONE], []) == WatchOnly(), "who was not asked about is not doubted"


@pytest.mark.parametrize(
    "change",
    [
        {"equity": 121},
        {"maintenance": 101},
        {"net": 51},
        {"liquidatable": True},
        {"initial": 0},
        {"health": None},
        {"parts": {"collateral": 150, "debt": 101}},
        {"parts": {"collateral": 150}},
    ],
    ids=str,
)
def test_one_unit_in_any_field_or_part_stops_the_market(change: dict[str, Any]) -> None:
    halted = held_against([ONE], [replace(ONE, **change)])
    assert halted.reason.startswith("our numbers differ") and not halted.parts
    assert "one" in halted.reason and halted.retry_at > HEAD.timestamp


def test_an_account_that_only_one_side_can_value_is_a_difference() -> None:
    assert "reverts" in held_against([ONE], [], ("one",)).reason
    assert "none against" in held_against([], [ONE]).reason


def test_a_difference_in_a_part_of_the_market_suspends_that_part_alone() -> None:
    here, there = replace(ONE, account="one/a"), replace(ONE, account="two/b")
    halted = held_against([here, there], [replace(here, equity=1), there])
    assert halted.parts.keys() == {"a"} and not halted.reason
    both = held_against([here, ONE], [replace(here, equity=1), replace(ONE, equity=1)])
    assert both.parts.keys() == {"a"} and "one" in both.reason
