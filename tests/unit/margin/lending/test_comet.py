"""Compound v3: the account's tests and absorption, held against the contract's own order of steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.lending.comet import account as comet
from keeper.margin.lending.comet import rates
from keeper.margin.lending.comet.terms import (
    BASE_INDEX_SCALE,
    FACTOR_SCALE,
    PRICE_SCALE,
    CollateralTerms,
    CometTerms,
)
from keeper.margin.rounding import div_trunc

pytestmark = pytest.mark.unit

USDC = CometTerms(base_scale=10**6, store_front_price_factor=FACTOR_SCALE // 2, target_reserves=10**12)
ETH = CollateralTerms(10**18, 82 * 10**16, 85 * 10**16, 93 * 10**16)
BTC = CollateralTerms(10**8, 70 * 10**16, 75 * 10**16, 90 * 10**16)

indices = st.integers(BASE_INDEX_SCALE, 3 * BASE_INDEX_SCALE)
totals = st.builds(rates.Totals, indices, indices, st.integers(0, 10**18), st.integers(0, 10**18))
holdings = st.tuples(
    st.builds(comet.Holding, st.integers(0, 10**24), st.integers(1, 10**13), st.just(ETH)),
    st.builds(comet.Holding, st.integers(0, 10**13), st.integers(1, 10**15), st.just(BTC)),
)
accounts = st.builds(comet.Account, st.integers(-(10**17), 10**12), holdings)


def step_by_step(account: comet.Account, market: rates.Totals) -> bool:
    """The contract's loop with its early exit, written out."""
    if account.principal >= 0:
        return False
    balance = rates.present_value(account.principal, market)
    liquidity = div_trunc(balance * PRICE_SCALE, USDC.base_scale)
    for held in account.holdings:
        if liquidity >= 0:
            return False
        value = held.balance * held.price // held.terms.scale
        liquidity += value * held.terms.liquidate_cf // FACTOR_SCALE
    return liquidity < 0


@given(accounts, totals)
def test_the_sum_says_what_the_contracts_loop_with_its_early_exit_says(
    account: comet.Account, market: rates.Totals
) -> None:
    liquidatable = comet.is_liquidatable(account, market, USDC)
    assert liquidatable is step_by_step(account, market)
    needed = comet.requirement(account, market, USDC)
    assert (needed.equity < needed.maintenance) is liquidatable  # type: ignore[operator]


@given(accounts, totals)
def test_equity_reaches_initial_exactly_where_borrowing_is_collateralized(
    account: comet.Account, market: rates.Totals
) -> None:
    needed = comet.requirement(account, market, USDC)
    collateralized = comet.is_borrow_collateralized(account, market, USDC)
    assert (needed.equity >= needed.initial) is collateralized  # type: ignore[operator]
    if comet.is_liquidatable(account, market, USDC):
        assert not collateralized


@given(accounts.filter(lambda account: account.principal < 0), totals)
def test_absorption_clears_the_debt_and_reserves_pay_what_is_missing(
    account: comet.Account, market: rates.Totals
) -> None:
    market = replace(market, borrow_base=market.borrow_base - account.principal)
    owed = rates.present_value(account.principal, market)
    outcome = comet.absorb(account, market, USDC)
    assert outcome.new_balance >= 0
    assert outcome.base_paid_out == outcome.new_balance - owed
    assert outcome.totals.borrow_base == market.borrow_base + account.principal


@given(st.integers(0, 10**15), st.integers(1, 10**13))
def test_a_discounted_quote_buys_at_least_as_much_as_the_price(amount: int, price: int) -> None:
    sold = comet.quote_collateral_down(amount, ETH, price, USDC) if price > 100 else None
    if sold is not None:
        plain = CometTerms(10**6, 0)
        assert sold >= comet.quote_collateral_down(amount, ETH, price, plain)


@given(st.integers(-(10**17), 10**17), totals)
def test_principal_rounds_against_the_account(balance: int, market: rates.Totals) -> None:
    back = rates.present_value(rates.principal_value(balance, market), market)
    assert back <= balance


@given(totals, st.integers(0, 10**7))
def test_indices_only_grow(market: rates.Totals, elapsed: int) -> None:
    curve = rates.Curve(8 * 10**17, 10**9, 10**9, 10**10)
    grown = rates.accrue(market, curve, curve, elapsed)
    assert grown.supply_index >= market.supply_index
    assert grown.borrow_index >= market.borrow_index


@given(st.integers(0, FACTOR_SCALE), st.integers(0, 2 * FACTOR_SCALE))
def test_a_kinked_rate_is_continuous_at_its_kink(kink: int, utilization: int) -> None:
    curve = rates.Curve(kink, 3 * 10**8, 10**9, 2 * 10**10)
    assert curve.rate_down(kink + 1) - curve.rate_down(kink) <= 1
    assert curve.rate_down(utilization) >= curve.rate_down(0)


def test_collateral_is_for_sale_only_below_target_reserves() -> None:
    market = rates.Totals(BASE_INDEX_SCALE, BASE_INDEX_SCALE, 10**9, 0)
    assert comet.for_sale(10**9 + 10**12 - 1, market, USDC)
    assert not comet.for_sale(10**9 + 10**12, market, USDC)
    assert comet.for_sale(0, market, USDC)


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("borrow_cf", lambda: CollateralTerms(1, 2, 1, 3)),
        ("liquidation_factor", lambda: CollateralTerms(1, 1, 1, FACTOR_SCALE + 1)),
        ("base_scale", lambda: CometTerms(0)),
        ("price", lambda: comet.Holding(1, -1, ETH)),
        ("principal", lambda: comet.Account(0.5)),  # type: ignore[arg-type]
        ("timestamp", lambda: rates.accrue(rates.Totals(1, 1, 0, 0, 9), *(rates.Curve(1, 1, 1, 1),) * 2, 8)),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
