"""Morpho Blue: what the rounding promises, whatever the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.lending.morpho import irm, pre_liquidation
from keeper.margin.lending.morpho.market import (
    ORACLE_PRICE_SCALE,
    MarketState,
    MarketTerms,
    accrue,
    taylor_compounded_down,
)
from keeper.margin.lending.morpho.position import (
    Position,
    borrowed_up,
    health_factor_down,
    is_healthy,
    liquidation_price_up,
    repaid_shares_up,
    required_collateral_up,
    requirement,
    seizable,
    seized_down,
    withdrawable_collateral,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

amounts = st.integers(0, 10**27)
markets = st.builds(MarketState, amounts, amounts, st.integers(1, 10**27), st.integers(1, 10**33))
positions = st.builds(Position, amounts, st.integers(0, 10**30))
prices = st.integers(1, 10**40)
terms = st.sampled_from([MarketTerms(lltv * 10**15) for lltv in (385, 625, 770, 860, 915, 945, 965, 980)])


@given(positions, markets, prices, terms)
def test_equity_reaches_maintenance_exactly_where_the_contract_says_healthy(
    position: Position, market: MarketState, price: int, lltv: MarketTerms
) -> None:
    needed = requirement(position, market, price, lltv)
    assert (needed.equity >= needed.maintenance) is is_healthy(position, market, price, lltv)  # type: ignore[operator]
    if borrowed_up(position, market):
        assert (health_factor_down(position, market, price, lltv) >= WAD) is is_healthy(
            position, market, price, lltv
        )


@given(st.integers(1, 10**30), markets, prices, terms)
def test_the_required_collateral_is_the_least_that_is_healthy(
    shares: int, market: MarketState, price: int, lltv: MarketTerms
) -> None:
    least = required_collateral_up(Position(0, shares), market, price, lltv)
    assert is_healthy(Position(least, shares), market, price, lltv)
    assert not is_healthy(Position(least - 1, shares), market, price, lltv)


@given(positions, markets, prices, terms)
def test_the_sdks_withdrawable_amount_is_exact_to_one_unit_of_the_loan(
    position: Position, market: MarketState, price: int, lltv: MarketTerms
) -> None:
    assume(is_healthy(position, market, price, lltv))
    exact = position.collateral - required_collateral_up(position, market, price, lltv)
    one_unit = ORACLE_PRICE_SCALE // price + 1
    found = withdrawable_collateral(position, market, price, lltv)
    assert abs(found - exact) <= 3 * one_unit


@given(positions, markets, prices, terms)
def test_nothing_is_seizable_from_the_healthy_nor_more_than_there_is(
    position: Position, market: MarketState, price: int, lltv: MarketTerms
) -> None:
    found = seizable(position, market, price, lltv)
    assert 0 <= found <= position.collateral
    if is_healthy(position, market, price, lltv):
        assert found == 0


@given(st.integers(10**15, 10**27), st.integers(10**15, 10**27), terms)
def test_the_liquidation_price_parts_the_healthy_from_the_rest(
    collateral: int, debt: int, lltv: MarketTerms
) -> None:
    market = MarketState(0, 0, debt, debt * 10**6)
    position = Position(collateral, debt * 10**6)
    price = liquidation_price_up(position, market, lltv)
    assert price is not None
    assert is_healthy(position, market, price + price // 10**9 + 1, lltv)
    assert not is_healthy(position, market, price - price // 10**9 - 1, lltv)


@given(st.integers(1, 10**30), markets, prices, terms)
def test_seizing_what_was_offered_never_costs_more_shares_than_offered(
    shares: int, market: MarketState, price: int, lltv: MarketTerms
) -> None:
    factor = lltv.incentive_factor
    seized = seized_down(shares, market, price, factor)
    assert repaid_shares_up(seized, market, price, factor) <= shares


@given(st.integers(0, 10**10), st.integers(0, 10**8))
def test_three_taylor_terms_stay_below_the_exponential(rate: int, elapsed: int) -> None:
    grown = taylor_compounded_down(rate, elapsed)
    exact = math.expm1(rate * elapsed / WAD)
    assert grown / WAD <= exact * (1 + 1e-12)
    if exact < 0.1:
        assert grown / WAD == pytest.approx(exact, rel=1e-4, abs=1e-17)


@given(markets, st.integers(0, 10**10), st.integers(0, 10**7), st.integers(0, WAD // 4))
def test_interest_goes_from_borrowers_to_suppliers_and_fees_only_mint_shares(
    market: MarketState, rate: int, elapsed: int, fee: int
) -> None:
    grown = accrue(market, rate, elapsed)
    interest = grown.total_borrow_assets - market.total_borrow_assets
    assert interest >= 0
    assert grown.total_supply_assets - market.total_supply_assets == interest
    assert grown.total_borrow_shares == market.total_borrow_shares


@pytest.mark.parametrize("lltv", [385, 625, 770, 860, 915, 945, 965, 980])
def test_default_pre_liquidation_ends_where_liquidation_begins(lltv: int) -> None:
    market_terms = MarketTerms(lltv * 10**15)
    pre = pre_liquidation.default_terms(market_terms.lltv)
    assert pre.pre_lltv < market_terms.lltv
    assert pre.pre_lif_1 == market_terms.incentive_factor
    assert pre.close_factor_down(0) == pre.pre_lcf_1
    assert pre.close_factor_down(WAD) == pre.pre_lcf_2


@given(st.integers(1, WAD - 1), st.integers(10**20, 10**26))
def test_pre_liquidation_seizes_within_its_window_only(ltv: int, debt: int) -> None:
    market_terms = MarketTerms(860 * 10**15)
    pre = pre_liquidation.default_terms(market_terms.lltv)
    market = MarketState(0, 0, debt, debt * 10**6)
    position = Position(debt * WAD // ltv, debt * 10**6)
    seized = pre_liquidation.pre_seizable(position, market, ORACLE_PRICE_SCALE, market_terms, pre)
    if pre.pre_lltv + 10 < ltv < market_terms.lltv - 10:
        assert 0 < seized < position.collateral
    elif ltv < pre.pre_lltv - 10 or ltv > market_terms.lltv + 10:
        assert seized == 0


@given(st.integers(-5 * WAD, 5 * WAD))
def test_the_rate_models_exponential_is_within_one_percent(x: int) -> None:
    assert irm.exp_trunc(x) / WAD == pytest.approx(math.exp(x / WAD), rel=0.01)


def test_the_curve_is_a_quarter_at_zero_one_at_target_and_four_at_full_utilization() -> None:
    at_target = irm.CURVE.initial_rate
    rates = [irm.borrow_rate(u, at_target, 0)[0] for u in (0, 9 * WAD // 10, WAD)]
    assert rates == pytest.approx([at_target / 4, at_target, 4 * at_target], rel=1e-6)


@given(st.integers(0, WAD), st.integers(0, 10**8))
def test_the_rate_at_target_moves_towards_utilization_within_its_bounds(
    utilization: int, elapsed: int
) -> None:
    start = irm.CURVE.initial_rate
    _, end = irm.borrow_rate(utilization, start, elapsed)
    assert irm.CURVE.min_rate <= end <= irm.CURVE.max_rate
    if utilization > irm.CURVE.target_utilization:
        assert end >= start
    else:
        assert end <= start


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("lltv", lambda: MarketTerms(WAD)),
        ("lltv", lambda: MarketTerms(-1)),
        ("lltv", lambda: pre_liquidation.default_terms(123)),
        ("collateral", lambda: Position(-1, 0)),
        ("borrow_shares", lambda: Position(1, 1.5)),  # type: ignore[arg-type]
        ("fee", lambda: MarketState(0, 0, 0, 0, fee=WAD)),
        ("pre_lif_1", lambda: pre_liquidation.PreLiquidationTerms(1, 1, 1, 1, 1)),
        ("price", lambda: seizable(Position(1, 1), MarketState(0, 0, 1, 1), -1, MarketTerms(WAD // 2))),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
