"""Drift's weights and dYdX v4's tiers: monotone, continuous where they say so, bounded."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.schedules import drift
from keeper.margin.schedules.dydx_v4 import MILLION, LiquidityTier

pytestmark = pytest.mark.unit

sizes = st.integers(0, 10**20)
factors = st.integers(0, 10**6)
weights = st.integers(1, 20_000)


@given(sizes, sizes, factors, weights)
def test_larger_positions_never_need_less(one: int, other: int, imf: int, weight: int) -> None:
    small, large = sorted((one, other))
    assert drift.liability_weight(small, imf, weight) <= drift.liability_weight(large, imf, weight)
    assert drift.asset_weight(small, imf, weight) >= drift.asset_weight(large, imf, weight)
    assert drift.liability_weight(large, imf, weight) >= weight >= drift.asset_weight(large, imf, weight)


@given(st.integers(0, 10**18), st.integers(1, 10**6), weights)
def test_weights_are_their_real_formula_to_the_truncation(size: int, imf: int, weight: int) -> None:
    root = math.sqrt(size / drift.SIZE_PRECISION)
    grown = max(weight, weight - weight // 5 + root * imf / 100)
    assert drift.liability_weight(size, imf, weight) == pytest.approx(grown, rel=1e-4, abs=12)
    shrunk = min(weight, 11_000 / (1 + imf / drift.IMF_PRECISION * root))
    assert drift.asset_weight(size, imf, weight) == pytest.approx(shrunk, rel=1e-3, abs=2)


@given(st.integers(-(10**15), 10**15), factors, st.integers(1, 10_000))
def test_losses_count_whole_and_profits_at_most_at_their_weight(pnl: int, imf: int, weight: int) -> None:
    found = drift.unrealized_pnl_asset_weight(pnl, imf, weight)
    assert found == 10_000 if pnl <= 0 else found <= weight


def test_an_imbalance_of_profits_shrinks_their_weight_first() -> None:
    weight = drift.unrealized_pnl_asset_weight(
        10**6, 0, 10_000, net_user_pnl=4 * 10**12, max_imbalance=10**12
    )
    assert weight == 2_500


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**12), st.integers(-(10**12), 10**12))
def test_initial_is_never_below_maintenance(size: int, price: int, pnl: int) -> None:
    terms = drift.PerpTerms(1_000, 500, 2_000, 8_000, 10_000, 1_000)
    needed = drift.requirement(size, price, pnl, 10**9, terms)
    assert needed.initial >= needed.maintenance  # type: ignore[operator]


tiers = st.builds(
    lambda initial, fraction, lower, width: LiquidityTier(initial, fraction, lower, lower + width),
    st.integers(0, MILLION),
    st.integers(0, MILLION),
    st.integers(0, 10**15),
    st.integers(1, 10**15),
)


@given(tiers, st.integers(0, 3 * 10**15), st.integers(0, 3 * 10**15))
def test_open_interest_scales_initial_margin_up_from_its_base_to_all(
    tier: LiquidityTier, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    assert (
        tier.initial_margin_ppm
        <= tier.adjusted_initial_ppm_down(low)
        <= tier.adjusted_initial_ppm_down(high)
        <= MILLION
    )
    assert tier.adjusted_initial_ppm_down(tier.open_interest_lower_cap) == tier.initial_margin_ppm
    assert tier.adjusted_initial_ppm_down(tier.open_interest_upper_cap) == MILLION


@given(tiers, st.integers(0, 10**18), st.integers(0, 10**16))
def test_maintenance_is_within_initial_and_blind_to_open_interest(
    tier: LiquidityTier, notional: int, interest: int
) -> None:
    assert 0 <= tier.maintenance_margin_up(notional) <= tier.initial_margin_up(notional, interest)
    assert tier.initial_margin_up(notional, interest) <= notional


def test_an_accounts_own_higher_rate_counts() -> None:
    tier = LiquidityTier(50_000, 600_000)
    assert tier.initial_margin_up(10**6, 0, custom_ppm=200_000) == 200_000
    assert tier.initial_margin_up(10**6, 0, custom_ppm=10_000) == 50_000


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("initial_margin_ppm", lambda: LiquidityTier(MILLION + 1, 0)),
        ("open_interest_lower_cap", lambda: LiquidityTier(1, 1, 2, 1)),
        ("open_interest", lambda: LiquidityTier(1, 1, 0, 1).adjusted_initial_ppm_down(-1)),
        ("size", lambda: drift.asset_weight(-1, 1, 1)),
        ("maintenance_ratio", lambda: drift.PerpTerms(500, 1_000)),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
