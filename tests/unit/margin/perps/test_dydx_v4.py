"""dYdX v4: what bankruptcy and fillable prices mean for the account and for the fund."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.perps.dydx_v4 import liquidation, risk
from keeper.margin.schedules.dydx_v4 import LiquidityTier

pytestmark = pytest.mark.unit

TIER = LiquidityTier(200_000, 500_000)
BTC = risk.Perpetual(50_000, -2, -6, TIER)
ETH = risk.Perpetual(3_000, 0, -6, TIER)
quantums = st.integers(-(10**9), 10**9).filter(bool)
quotes = st.integers(-(10**13), 10**13)


@given(quantums, quotes)
def test_closing_all_at_bankruptcy_leaves_the_account_at_zero(size: int, quote: int) -> None:
    total = risk.account_risk(quote, [(BTC, size)])
    price = liquidation.bankruptcy_price_up(BTC, size, -size, total)
    assert 0 <= quote + price < 1


@given(quantums, quantums, quotes)
def test_bankruptcies_of_all_positions_take_all_the_account_has(one: int, other: int, quote: int) -> None:
    """Each position's share of what is left is its share of maintenance; rounding is the fund's gain."""
    total = risk.account_risk(quote, [(BTC, one), (ETH, other)])
    received = liquidation.bankruptcy_price_up(BTC, one, -one, total)
    received += liquidation.bankruptcy_price_up(ETH, other, -other, total)
    assert 0 <= quote + received <= 2


@given(st.integers(2, 10**9), quotes)
def test_bankruptcy_of_a_part_never_beats_its_share(size: int, quote: int) -> None:
    total = risk.account_risk(quote, [(BTC, size)])
    whole = liquidation.bankruptcy_price_up(BTC, size, -size, total)
    half = liquidation.bankruptcy_price_up(BTC, size, -(size // 2), total)
    assert abs(Fraction(half, size // 2) - Fraction(whole, size)) * size <= abs(total.nc) // 10 + 10_000


@given(quantums, quotes)
def test_the_fillable_price_lies_between_oracle_and_spread(size: int, quote: int) -> None:
    total = risk.account_risk(quote, [(BTC, size)])
    assume(total.mmr > 0)
    oracle = Fraction(BTC.quote_quantums_trunc(size), size)
    spread = Fraction(100_000, 10**6) * Fraction(total.mmr, abs(size))
    price = liquidation.fillable_price(BTC, size, total)
    assert (oracle - spread <= price <= oracle) if size > 0 else (oracle <= price <= oracle + spread)
    if total.nc >= total.mmr:
        assert price == oracle


@given(quantums, quotes, st.integers(0, 10**14))
def test_the_fund_pays_below_bankruptcy_and_takes_at_most_its_fee_above(
    size: int, quote: int, filled: int
) -> None:
    total = risk.account_risk(quote, [(BTC, size)])
    delta = liquidation.insurance_fund_delta(BTC, size, -size, filled, total)
    assert delta <= filled * 5_000 // 10**6
    received = filled if size > 0 else -filled
    bankrupt = liquidation.bankruptcy_price_up(BTC, size, -size, total)
    assert (delta < 0) is (received < bankrupt)


def test_notional_truncates_towards_zero_on_both_sides() -> None:
    odd = risk.Perpetual(3, -1, -6, TIER)
    assert odd.quote_quantums_trunc(5) == 1
    assert odd.quote_quantums_trunc(-5) == -1


@given(quotes, st.lists(st.tuples(st.sampled_from([BTC, ETH]), quantums), max_size=4))
def test_risk_adds_up_and_says_what_the_requirement_says(
    quote: int, positions: list[tuple[risk.Perpetual, int]]
) -> None:
    total = risk.account_risk(quote, positions)
    needed = risk.requirement(quote, positions)
    assert (needed.initial, needed.maintenance, needed.equity) == (total.imr, total.mmr, total.nc)
    assert total.imr >= total.mmr
    assert total.is_liquidatable is (total.nc < total.mmr and total.mmr > 0)


FLAT = risk.Risk(1, 0, 0)
SOME = risk.account_risk(0, [(BTC, 10)])


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("delta_quantums", lambda: liquidation.bankruptcy_price_up(BTC, 10, 5, SOME)),
        ("delta_quantums", lambda: liquidation.bankruptcy_price_up(BTC, 10, -11, SOME)),
        ("positions", lambda: liquidation.fillable_price(BTC, 10, FLAT)),
        ("size", lambda: liquidation.fillable_price(BTC, 0, SOME)),
        ("bankruptcy_adjustment_ppm", lambda: liquidation.LiquidationTerms(1)),
        ("price", lambda: risk.Perpetual(-1, 0, 0, TIER)),
    ],
)
def test_bad_input_names_its_field(field: str, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MarginError) as refused:
        call()
    assert refused.value.field == field
