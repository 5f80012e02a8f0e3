"""Liquidation and bankruptcy prices do what their names say, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.schedules import prices
from keeper.margin.schedules.tiers import Schedule
from tests.unit.margin.schedules.test_tiers import schedules

pytestmark = pytest.mark.unit

sizes = st.fractions(-(10**5), 10**5, max_denominator=100).filter(bool)
marks = st.fractions(1, 10**5, max_denominator=100)
shares = st.fractions(0, 3, max_denominator=1_000)


def equity_at(equity: Fraction, size: Fraction, price: Fraction, moved: Fraction) -> Fraction:
    return equity + size * (moved - price)


@given(schedules(), sizes, marks, shares)
def test_at_the_liquidation_price_equity_is_maintenance_and_beyond_it_less(
    schedule: Schedule, size: Fraction, price: Fraction, share: Fraction
) -> None:
    position = prices.Position(size, price, schedule)
    equity = position.maintenance + abs(size) * price * share
    found = prices.liquidation_price(equity, position)
    if found is None:
        assert size > 0 or schedule.tiers[-1].maintenance_rate == 1
        return
    assert equity_at(equity, size, price, found) == schedule.maintenance(abs(size) * found)
    worse = found * Fraction(999, 1000) if size > 0 else found * Fraction(1001, 1000)
    assert equity_at(equity, size, price, worse) <= schedule.maintenance(abs(size) * worse)


@given(schedules(), sizes, marks, shares)
def test_a_long_without_a_liquidation_price_is_safe_at_any_price(
    schedule: Schedule, size: Fraction, price: Fraction, share: Fraction
) -> None:
    assume(size > 0)
    equity = size * price * (1 + share)
    assert equity >= schedule.maintenance(size * price)
    if prices.liquidation_price(equity, prices.Position(size, price, schedule)) is None:
        tiny = price / 10**9
        assert equity_at(equity, size, price, tiny) >= schedule.maintenance(size * tiny)


@given(sizes, marks, shares)
def test_at_the_bankruptcy_price_nothing_is_left(size: Fraction, price: Fraction, share: Fraction) -> None:
    equity = abs(size) * price * share
    found = prices.bankruptcy_price(equity, size, price)
    if found is None:
        assert size > 0
        assert share >= 1
    else:
        assert equity_at(equity, size, price, found) == 0


@given(schedules(), sizes, marks, shares)
def test_liquidation_comes_before_bankruptcy(
    schedule: Schedule, size: Fraction, price: Fraction, share: Fraction
) -> None:
    position = prices.Position(size, price, schedule)
    equity = position.maintenance + abs(size) * price * share
    liquidation = prices.liquidation_price(equity, position)
    bankruptcy = prices.bankruptcy_price(equity, size, price)
    if liquidation is not None and bankruptcy is not None:
        assert liquidation >= bankruptcy if size > 0 else liquidation <= bankruptcy


@given(schedules(), st.lists(st.tuples(sizes, marks), min_size=2, max_size=4), shares)
def test_each_cross_price_brings_the_whole_account_to_its_maintenance(
    schedule: Schedule, legs: list[tuple[Fraction, Fraction]], share: Fraction
) -> None:
    positions = [prices.Position(size, price, schedule) for size, price in legs]
    total = sum((each.maintenance for each in positions), Fraction(0))
    equity = total + share * 1_000
    found = prices.cross_liquidation_prices(equity, positions)
    for each, price in zip(positions, found, strict=True):
        if price is not None:
            others = total - each.maintenance
            needed = others + schedule.maintenance(abs(each.size) * price)
            assert equity_at(equity, each.size, each.price, price) == needed


@given(sizes, marks, st.fractions(0, 1, max_denominator=100))
def test_one_flat_rate_is_a_schedule_of_one_tier(size: Fraction, price: Fraction, rate: Fraction) -> None:
    assume(0 < rate < 1)
    equity = abs(size) * price * rate * 2
    found = prices.flat_rate_liquidation_price(equity, size, price, rate)
    if found is not None:
        assert equity_at(equity, size, price, found) == abs(size) * found * rate


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("size", lambda: prices.bankruptcy_price(Fraction(1), Fraction(0), Fraction(1))),
        ("price", lambda: prices.bankruptcy_price(Fraction(1), Fraction(1), Fraction(-1))),
        ("size", lambda: prices.flat_rate_liquidation_price(*map(Fraction, (1, 0, 1, 0)))),
    ],
)
def test_bad_input_names_its_field(field: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        call()
    assert refused.value.field == field
