"""Equity from what a contract's own view tells: near the true sum, short of the debt as the contract says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.margin.lending.aave.fixed import PERCENT
from keeper.margin.lending.aave.health import equity, summarise
from keeper.margin.lending.aave.rules import V36, V302
from keeper.margin.lending.liquity.trove import Trove, collateral_ratio_down, equity_down
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

# Up to a hundred million whole units of base currency: of more, health itself does not tell a unit.
VALUES = st.integers(0, 10**16)
THRESHOLDS = st.integers(1, 9_900)


@given(VALUES, THRESHOLDS, VALUES)
def test_aaves_sum_is_told_to_the_unit_by_its_health(value: int, threshold: int, debt: int) -> None:
    data = summarise(value, value * threshold, debt, V36)
    found = equity(data)
    assert abs(found * PERCENT - value * threshold) <= PERCENT
    assert (found < debt) == (debt > 0 and data.health < WAD)


@given(VALUES, THRESHOLDS, st.integers(-3, 3))
def test_at_the_edge_it_is_below_the_debt_where_health_is_below_one(
    value: int, threshold: int, off: int
) -> None:
    debt = max(value * threshold // PERCENT + off, 1)
    for rules in (V302, V36):
        data = summarise(value, value * threshold, debt, rules)
        assert (equity(data) < debt) == (data.health < WAD)


@given(st.integers(0, 10**26), st.integers(1, 10**26), st.integers(1, 10**24), st.integers(-2, 2))
def test_a_trove_carries_less_than_its_debt_where_its_ratio_is_below_the_least(
    coll: int, debt: int, price: int, off: int
) -> None:
    mcr = 110 * WAD // 100
    for owed in (debt, max(coll * price // mcr + off, 1)):
        ratio, worth = collateral_ratio_down(Trove(coll, owed), price), coll * price // WAD
        found = equity_down(worth, owed, ratio, mcr)
        assert (found < owed) == (ratio < mcr)
        assert abs(found - coll * price // mcr) <= 1
