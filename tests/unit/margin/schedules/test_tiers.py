"""Tiered schedules: continuous, rising, the sum of their slices; and what a schedule may not be."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.interface import Provenance
from keeper.margin.schedules import binance, deribit_linear, hyperliquid
from keeper.margin.schedules.tiers import Schedule, Tier, requirement

pytestmark = pytest.mark.unit

MADE_UP = Provenance("test", date(2026, 1, 1), "this test")
PUBLISHED = {
    "Binance BTCUSDT": binance.BTCUSDT_2021,
    "Binance BTCUSD": binance.BTCUSD_COIN_M_2020,
    **{f"Hyperliquid {asset}": table for asset, table in hyperliquid.TABLES.items()},
}


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """One to six tiers, rates rising, leverage as large as the rate allows."""
    count = draw(st.integers(1, 6))
    lowers = sorted(draw(st.sets(st.integers(1, 10**9), min_size=count - 1, max_size=count - 1)))
    rates = sorted(draw(st.sets(st.integers(1, 1_000), min_size=count, max_size=count)))
    return Schedule(
        tuple(
            Tier(Fraction(lower), Fraction(rate, 1_000), Fraction(1_000, rate))
            for lower, rate in zip([0, *lowers], rates, strict=True)
        ),
        MADE_UP,
    )


notionals = st.fractions(min_value=0, max_value=2 * 10**9, max_denominator=1_000)


def by_slices(schedule: Schedule, notional: Fraction) -> Fraction:
    """Each slice of the notional at its own tier's rate: the definition, without deductions."""
    total = Fraction(0)
    ends = [*(tier.lower for tier in schedule.tiers[1:]), notional]
    for tier, end in zip(schedule.tiers, ends, strict=True):
        total += max(Fraction(0), min(end, notional) - tier.lower) * tier.maintenance_rate
    return total


@given(schedules(), notionals)
def test_maintenance_is_the_sum_of_slices_at_their_own_rates(schedule: Schedule, notional: Fraction) -> None:
    assert schedule.maintenance(notional) == by_slices(schedule, notional)


@given(schedules())
def test_tiers_meet_at_every_boundary(schedule: Schedule) -> None:
    for index, tier in enumerate(schedule.tiers[1:], start=1):
        before, after = schedule.tiers[index - 1], tier
        below = tier.lower * before.maintenance_rate - schedule.deductions[index - 1]
        above = tier.lower * after.maintenance_rate - schedule.deductions[index]
        assert below == above == schedule.maintenance(tier.lower)


@given(schedules(), notionals, notionals)
def test_maintenance_rises_no_slower_than_the_first_rate_and_no_faster_than_the_last(
    schedule: Schedule, one: Fraction, other: Fraction
) -> None:
    low, high = sorted((one, other))
    rise = schedule.maintenance(high) - schedule.maintenance(low)
    rates = [tier.maintenance_rate for tier in schedule.tiers]
    assert rates[0] * (high - low) <= rise <= rates[-1] * (high - low)


@given(schedules(), st.lists(notionals, min_size=1, max_size=20))
def test_arrays_give_what_scalars_give(schedule: Schedule, values: list[Fraction]) -> None:
    array = schedule.maintenance_array(np.array([float(each) for each in values]))
    alone = [float(schedule.maintenance(each)) for each in values]
    assert array == pytest.approx(alone, rel=1e-9, abs=1e-5)


@pytest.mark.parametrize("schedule", PUBLISHED.values(), ids=PUBLISHED)
def test_published_tables_are_continuous_to_the_last_digit(schedule: Schedule) -> None:
    step = Fraction(1, 10**9)
    for tier in schedule.tiers[1:]:
        rise = schedule.maintenance(tier.lower + step) - schedule.maintenance(tier.lower - step)
        assert 0 < rise <= 2 * step * tier.maintenance_rate


def test_a_boundary_belongs_to_the_tier_below_it() -> None:
    assert binance.BTCUSDT_2021.tier(Fraction(50_000)).maintenance_rate == Fraction("0.004")
    assert binance.BTCUSDT_2021.tier(Fraction(50_001)).maintenance_rate == Fraction("0.005")
    assert hyperliquid.table("BTC").tier(Fraction(150_000_000)).max_leverage == 40


def test_leverage_beyond_the_tier_is_refused() -> None:
    schedule = hyperliquid.table("ETH")
    assert schedule.initial(Fraction(10**6), Fraction(25)) == 40_000
    with pytest.raises(MarginError) as refused:
        schedule.initial(Fraction(2 * 10**8), Fraction(25))
    assert refused.value.field == "leverage"


@given(schedules(), st.fractions(-(10**6), 10**6, max_denominator=100))
def test_initial_is_never_below_maintenance(schedule: Schedule, size: Fraction) -> None:
    needed = requirement(schedule, size, Fraction(100), Fraction(0))
    assert needed.initial >= needed.maintenance >= 0  # type: ignore[operator]


@given(st.fractions(0, 10**5, max_denominator=100), st.fractions(0, 10**5, max_denominator=100))
def test_size_scaled_margin_is_convex_so_splitting_never_costs_more(one: Fraction, other: Fraction) -> None:
    terms = deribit_linear.TERMS["BTC_USDC"]
    price = Fraction(100_000)
    together = deribit_linear.requirement(one + other, price, Fraction(0), terms)
    apart = [deribit_linear.requirement(each, price, Fraction(0), terms) for each in (one, other)]
    assert together.maintenance >= apart[0].maintenance + apart[1].maintenance  # type: ignore[operator]


@pytest.mark.parametrize(
    ("field", "tiers"),
    [
        ("tiers", ()),
        ("tiers", ((1, "0.01", 50),)),
        ("tiers.lower", ((0, "0.01", 50), (100, "0.02", 25), (100, "0.03", 20))),
        ("tiers.lower", ((0, "0.01", 50), (200, "0.02", 25), (100, "0.03", 20))),
        ("tiers.maintenance_rate", ((0, "0.02", 25), (100, "0.01", 25))),
        ("maintenance_rate", ((0, "0.02", 100),)),
        ("maintenance_rate", ((0, "-0.02", 1),)),
        ("max_leverage", ((0, "0.02", 0),)),
    ],
)
def test_crossed_and_contradictory_tiers_are_refused(
    field: str, tiers: tuple[tuple[int, str, int], ...]
) -> None:
    with pytest.raises(MarginError) as refused:
        Schedule(tuple(Tier(Fraction(a), Fraction(b), Fraction(c)) for a, b, c in tiers), MADE_UP)
    assert refused.value.field == field


@pytest.mark.parametrize("bad", [[-1.0], [float("nan")], [float("inf")]])
def test_a_notional_that_is_none_is_refused(bad: list[float]) -> None:
    with pytest.raises(MarginError) as refused:
        binance.BTCUSDT_2021.maintenance_array(bad)
    assert refused.value.field == "notional"


def test_an_asset_without_a_table_is_refused() -> None:
    with pytest.raises(MarginError) as refused:
        hyperliquid.table("UNLISTED")
    assert refused.value.field == "asset"
