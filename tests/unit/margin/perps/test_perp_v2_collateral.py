"""Perp v2's collateral tokens: when they may be bought for an account's debt, and how much of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.perps.perp_v2_collateral import (
    Cause,
    Pledge,
    SaleTerms,
    TokenLot,
    most_repaid,
    most_sold,
    sale_causes,
)
from keeper.margin.rounding import WAD

pytestmark = pytest.mark.unit

DOLLAR = 10**6
TERMS = SaleTerms(2_000, 750_000, 500_000, 30_000, 10_000 * DOLLAR, 500 * DOLLAR)


@pytest.mark.parametrize(
    ("tokens", "settlement", "positions", "causes"),
    [
        (1_000, 0, 10_000, ()),
        (1_000, -355, 10_000, ()),
        (1_000, -356, 10_000, ("margin",)),
        (1_000, -750, 0, ()),
        (1_000, -751, 0, ("share",)),
        (1_000, -1_001, 0, ("margin", "share")),
        (100_000, -10_000, 0, ()),
        (100_000, -10_001, 0, ("threshold",)),
    ],
)
def test_each_cause_begins_just_beyond_its_limit(
    tokens: int, settlement: int, positions: int, causes: tuple[Cause, ...]
) -> None:
    account = Pledge(tokens * WAD, settlement * WAD, positions * WAD)
    assert sale_causes(account, 62_500, TERMS) == causes


def test_half_a_debt_is_repaid_and_all_of_a_small_one_with_the_funds_fee_on_top() -> None:
    debt = Pledge(0, -970 * WAD, 0)
    assert most_repaid(debt, 0, TERMS) == 500 * WAD
    assert most_repaid(debt, 1_940 * WAD, TERMS) == 1_000 * WAD
    assert most_repaid(Pledge(0, -485 * WAD, 0), 0, TERMS) == 500 * WAD


def test_a_buyer_pays_less_by_the_discount_and_gets_no_more_than_there_is() -> None:
    lot = TokenLot(WAD, 2_000 * 10**8, 100_000)
    assert most_sold(lot, 900 * WAD) == (900 * DOLLAR, WAD // 2)
    assert most_sold(lot, 5_000 * WAD) == (1_800 * DOLLAR, WAD)
    coarse = TokenLot(10**8, 2_000 * 10**8, 100_000, decimals=8)
    assert most_sold(coarse, 900 * WAD) == (900 * DOLLAR, 10**8 // 2)


@given(st.integers(0, 10**24), st.integers(1, 10**13), st.integers(0, 10**26))
def test_nothing_is_bought_beyond_the_amount_nor_paid_beyond_the_debt(
    amount: int, price: int, repaid: int
) -> None:
    paid, bought = most_sold(TokenLot(amount, price, 0), repaid)
    assert 0 <= bought <= amount
    assert paid * 10**12 <= repaid


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("fee_ratio", lambda: SaleTerms(0, 0, 0, 10**6, 0, 0)),
        ("threshold", lambda: SaleTerms(0, 0, 0, 0, -1, 0)),
        ("decimals", lambda: TokenLot(1, 1, 0, decimals=19)),
    ],
)
def test_bad_input_names_its_field(field: str, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        make()
    assert refused.value.field == field
