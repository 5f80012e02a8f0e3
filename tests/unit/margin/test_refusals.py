"""Inputs that a formula would turn into a silent number are refused by their field."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keeper.errors import MarginError
from keeper.margin.lending.aave import interest
from keeper.margin.lending.comet import account as comet
from keeper.margin.lending.comet.rates import Totals
from keeper.margin.lending.comet.terms import BASE_INDEX_SCALE, FACTOR_SCALE, CollateralTerms, CometTerms
from keeper.margin.options import opyn_naked, span
from keeper.margin.risk import normal, volatility

pytestmark = pytest.mark.unit

RATE = 10**25
PAR = Totals(BASE_INDEX_SCALE, BASE_INDEX_SCALE, 0, 0)
USDC = CometTerms(10**6)
DEBTOR = comet.Account(-1, [])
TERMS = CollateralTerms(10**18, 0, 0, FACTOR_SCALE)


def naked(**changed: int) -> int:
    given = {"short_amount": 1, "strike": 1, "price": 1, "upper_bound": 1, "spot_shock": 1, **changed}
    return opyn_naked.naked_required(is_put=True, **given)


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        (lambda: interest.linear_interest(RATE, -5), "elapsed"),
        (lambda: interest.linear_interest(-RATE, 5), "rate"),
        (lambda: interest.compounded_interest_taylor(RATE, -5), "elapsed"),
        (lambda: interest.compounded_interest_binomial(-RATE, 5), "rate"),
        (lambda: interest.compounded_interest_per_second(RATE, -1), "elapsed"),
        (lambda: comet.is_liquidatable(DEBTOR, PAR, USDC, -1), "base_price"),
        (lambda: comet.absorb(DEBTOR, PAR, USDC, 0), "base_price"),
        (lambda: comet.quote_collateral_down(1, TERMS, 0, USDC), "price"),
        (lambda: comet.quote_collateral_down(1, TERMS, -1, USDC), "price"),
        (lambda: naked(strike=-1), "strike"),
        (lambda: naked(spot_shock=-1), "spot_shock"),
        (lambda: span.futures_gains(1, -5, [span.SpanScenario(1, 1)]), "price_range"),
        (lambda: span.futures_gains(1, 5, [span.SpanScenario(2, 0)], -7), "extreme_move"),
        (lambda: normal.scaled_var(-1, 2.33, 10), "sigma"),
        (lambda: normal.scaled_var(1, float("nan"), 10), "z"),
        (lambda: normal.correlated([1, 1], [[1, 2], [2, 1]]), "correlation"),
        (lambda: normal.correlated([1, 1], [[1, 0.2], [0.1, 1]]), "correlation"),
        (lambda: volatility.ewma_update(-0.01, 0.02), "variance"),
        (lambda: volatility.ewma_update(0.01, 0.02, 1.5), "decay"),
        (lambda: volatility.ewma_variances([0.1, 0.2], initial=-1), "initial"),
    ],
)
def test_it_is_refused_by_its_field(refused: Callable[[], object], field: str) -> None:
    with pytest.raises(MarginError) as found:
        refused()
    assert found.value.field == field
