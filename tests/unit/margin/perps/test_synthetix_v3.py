"""Synthetix v3: premiums, funding and rewards by their definitions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.perps.synthetix_v3 import account, market
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

ETH = account.MarketTerms(
    skew_scale=10**6 * WAD,
    initial_ratio=2 * WAD,
    min_initial_ratio=WAD // 100,
    maintenance_scalar=WAD // 2,
    min_position_margin=50 * WAD,
    flag_reward_ratio=WAD // 100,
    window_max=100 * WAD,
)
KEEPER = account.KeeperTerms(10 * WAD, 1_000 * WAD, WAD // 5, WAD // 10, 2 * WAD, WAD)
sizes = st.integers(-(10**6), 10**6).map(lambda n: n * WAD // 1_000)
prices = st.integers(1, 10**5).map(lambda n: n * WAD)


@given(sizes, sizes, prices)
def test_the_fill_is_the_mean_of_the_premium_before_and_after(skew: int, size: int, price: int) -> None:
    scale = ETH.skew_scale
    exact = Fraction(price) * (1 + Fraction(2 * skew + size, 2 * scale))
    assert abs(market.fill_price(skew, scale, size, price) - exact) <= price // WAD + 2


@given(sizes, sizes, prices)
def test_opening_and_closing_at_once_costs_nothing_but_rounding(skew: int, size: int, price: int) -> None:
    there = market.fill_price(skew, ETH.skew_scale, size, price)
    back = market.fill_price(skew + size, ETH.skew_scale, -size, price)
    assert abs(there - back) <= price // WAD + 2


@given(st.integers(-(10**7), 10**7), st.integers(0, 10 * WAD))
def test_velocity_is_clamped_to_its_maximum(thousands: int, most: int) -> None:
    velocity = market.funding_velocity(thousands * WAD, ETH.skew_scale, most)
    assert abs(velocity) <= most
    if abs(thousands) >= 10**6:
        assert abs(velocity) == most


@given(sizes, prices, st.lists(st.integers(1, 10**6), min_size=1, max_size=5))
def test_accruing_in_steps_is_accruing_at_once(skew: int, price: int, steps: list[int]) -> None:
    start = market.FundingState(skew, WAD // 50)
    state = start
    for seconds in steps:
        state = market.accrue(state, price, ETH.skew_scale, 3 * WAD, state.time + seconds)
    whole = market.accrue(start, price, ETH.skew_scale, 3 * WAD, sum(steps))
    assert abs(state.rate - whole.rate) <= 4 * len(steps)
    assert abs(state.value - whole.value) <= 10**6 * (price // WAD + 1)


@given(prices)
def test_longs_pay_a_positive_rate(price: int) -> None:
    state = market.accrue(market.FundingState(0, WAD // 10), price, ETH.skew_scale, 0, market.DAY)
    assert market.position_pnl(WAD, price, price, 0, state.value) == -price // 10
    assert market.position_pnl(-WAD, price, price, 0, state.value) == price // 10


@given(st.lists(st.tuples(sizes.filter(bool), prices, prices), min_size=1, max_size=4), st.integers(0, 10**8))
def test_liquidatable_is_equity_below_maintenance(legs: list[tuple[int, int, int]], dollars: int) -> None:
    positions = [account.Position(size, entry, now, ETH) for size, entry, now in legs]
    needed = account.requirement(positions, dollars * WAD, KEEPER)
    assert (needed.equity < needed.maintenance) is account.is_liquidatable(  # type: ignore[operator]
        positions, dollars * WAD, KEEPER
    )
    assert needed.initial >= needed.maintenance  # type: ignore[operator]


def test_an_account_without_positions_is_never_liquidatable() -> None:
    assert not account.is_liquidatable([], 0, KEEPER)
    assert account.requirement([], 5 * WAD, KEEPER).maintenance == 0


def test_rewards_add_windows_after_the_first() -> None:
    small = account.Position(100 * WAD, WAD, WAD, ETH)
    large = replace(small, size=101 * WAD)
    further = account.keeper_reward(0, KEEPER.liquidate_cost, KEEPER)
    collateral = 10**6 * WAD
    one = account.liquidation_reward([small], collateral, KEEPER)
    two = account.liquidation_reward([large], collateral, KEEPER)
    assert one == account.keeper_reward(WAD, KEEPER.flag_cost, KEEPER, collateral)
    assert two - one == further


def test_poor_collateral_caps_the_reward() -> None:
    assert account.keeper_reward(500 * WAD, WAD, KEEPER, 100 * WAD) == 10 * WAD
    assert account.keeper_reward(500 * WAD, WAD, KEEPER) == 501 * WAD
    assert account.keeper_reward(5_000 * WAD, WAD, KEEPER) == 1_000 * WAD


@pytest.mark.parametrize(("size", "windows"), [(0, 0), (1, 1), (100, 1), (101, 2), (-250, 3)])
def test_windows_round_up(size: int, windows: int) -> None:
    assert market.liquidation_windows(size * WAD, 100 * WAD) == windows


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("maintenance_scalar", lambda: replace(ETH, maintenance_scalar=2 * WAD)),
        ("skew_scale", lambda: replace(ETH, skew_scale=-1)),
        ("price", lambda: account.Position(1, 1, -1, ETH)),
        ("size", lambda: account.Position(1.0, 1, 1, ETH)),  # type: ignore[arg-type]
        ("time", lambda: market.accrue(market.FundingState(0, time=5), 1, 1, 1, 4)),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
