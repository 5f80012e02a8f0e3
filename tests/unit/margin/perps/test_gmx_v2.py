"""GMX v2: the binary power against the real one, impact by direction, reasons for liquidation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.perps.gmx_v2 import binary_power, impact, position

pytestmark = pytest.mark.unit

ONE = binary_power.SCALE
USD = impact.FLOAT_PRECISION


def test_the_roots_are_the_librarys_published_constants() -> None:
    roots = binary_power._roots()
    assert len(roots) == 64
    assert roots[:4] == (
        0x16A09E667F3BCC909,
        0x1306FE0A31B7152DF,
        0x1172B83C7D517ADCE,
        0x10B5586CF9890F62A,
    )
    assert roots[31] == 0x100000000B17217F8
    assert roots[-4:] == (0x10000000000000006, 0x10000000000000003, *(0x10000000000000001,) * 2)


@given(st.integers(ONE, 10**30))
def test_log2_is_within_its_last_digits(x: int) -> None:
    assert binary_power.log2_down(x) / ONE == pytest.approx(math.log2(x / ONE), rel=1e-14, abs=1e-15)


@given(st.integers(0, 100 * ONE))
def test_exp2_is_within_its_last_digits(x: int) -> None:
    assert binary_power.exp2_down(x) / ONE == pytest.approx(2 ** (x / ONE), rel=1e-13)


@given(st.integers(ONE, 10**27), st.integers(ONE, 3 * ONE))
def test_powers_are_the_real_ones_to_thirteen_digits(x: int, y: int) -> None:
    assert binary_power.power(x, y) / ONE == pytest.approx((x / ONE) ** (y / ONE), rel=1e-13)


@pytest.mark.parametrize("exponent", range(192))
def test_whole_exponents_are_exact(exponent: int) -> None:
    assert binary_power.exp2_down(exponent * ONE) == 2**exponent * ONE


TERMS = impact.ImpactTerms(USD // 10**9, 2 * USD // 10**9, 2 * USD)
interest = st.integers(0, 10**8).map(lambda dollars: dollars * USD)


@given(interest, interest, interest)
def test_balancing_pays_and_unbalancing_costs(longs: int, shorts: int, added: int) -> None:
    paid = impact.price_impact(longs, shorts, longs + added, shorts, TERMS)
    before, after = abs(longs - shorts), abs(longs + added - shorts)
    if longs >= shorts:
        assert paid <= 0
    elif longs + added <= shorts:
        assert paid >= 0
    assert paid == 0 or before != after or (longs <= shorts) != (longs + added <= shorts)


def test_a_dollar_or_less_of_imbalance_has_no_impact_and_one_is_the_identity() -> None:
    assert impact.apply_exponent(USD - 1, 2 * USD) == 0
    assert impact.apply_exponent(12_345 * USD, USD) == 12_345 * USD


TOKEN = 10**18
ETH = position.Position(True, 200_000 * USD, 40 * TOKEN, 10 * TOKEN)
LIMITS = position.PositionTerms(USD, USD // 100, USD // 100)


def at(dollars: int) -> position.Prices:
    price = dollars * (USD // TOKEN)
    return position.Prices(price, price, price)


@pytest.mark.parametrize(
    ("dollars", "reason"),
    [(5_000, None), (4_200, None), (4_039, "min collateral for leverage"), (4_000, "min collateral")],
)
def test_reasons_in_the_contracts_order(dollars: int, reason: str | None) -> None:
    remaining = position.remaining_collateral(ETH, at(dollars), LIMITS)
    assert position.liquidation_reason(remaining, ETH, LIMITS) == reason


@given(st.integers(1, 20_000), st.booleans(), st.integers(-(10**5), 10**5), st.integers(0, TOKEN))
def test_equity_is_below_maintenance_exactly_where_there_is_a_reason(
    dollars: int, long: bool, push: int, fees: int
) -> None:
    held = replace(ETH, is_long=long)
    for limits in (LIMITS, replace(LIMITS, min_collateral_usd=0, min_collateral_factor=0)):
        needed = position.requirement(held, at(dollars), limits, push * USD, fees)
        remaining = position.remaining_collateral(held, at(dollars), limits, push * USD, fees)
        reason = position.liquidation_reason(remaining, held, limits)
        assert (needed.equity < needed.maintenance) is (reason is not None)  # type: ignore[operator]


def test_impact_counts_only_against_the_trader_and_only_to_its_cap() -> None:
    prices = at(5_000)
    bare = position.remaining_collateral(ETH, prices, LIMITS)
    assert position.remaining_collateral(ETH, prices, LIMITS, 10**9 * USD) == bare
    assert position.remaining_collateral(ETH, prices, LIMITS, -(10**9) * USD) == bare - 2_000 * USD


def test_longs_are_valued_low_and_shorts_high_and_profits_share_the_pools_cap() -> None:
    spread = position.Prices(*(each * (USD // TOKEN) for each in (5_990, 6_010, 6_000)))
    assert position.position_pnl(ETH, spread) == 40 * 990 * USD
    short = replace(ETH, is_long=False)
    assert position.position_pnl(short, spread) == -40 * 1_010 * USD
    assert position.position_pnl(ETH, spread, 50 * USD, 100 * USD) == 20 * 990 * USD


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("x", lambda: binary_power.log2_down(ONE - 1)),
        ("x", lambda: binary_power.exp2_down(192 * ONE)),
        ("size_usd", lambda: position.Position(True, 0, 1, 1)),
        ("index_min", lambda: position.Prices(2, 1, 1)),
        ("min_collateral_factor", lambda: position.PositionTerms(0, 2 * USD)),
        ("exponent", lambda: impact.ImpactTerms(1, 1, -1)),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
