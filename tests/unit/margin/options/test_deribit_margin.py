"""Deribit's margins: the published worked response of its API, and the rules of the standard table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.margin.options import deribit
from keeper.margin.options.deribit_portfolio import (
    CoinOption,
    CoinPortfolio,
    Future,
    SegregatedPortfolioMargin,
    risk_matrix,
    shocked_volatility,
)
from keeper.margin.options.deribit_tables import portfolio_parameters

pytestmark = pytest.mark.unit

# docs.deribit.com, private/pme/simulate, response example of 17 June 2024
PUBLISHED = CoinPortfolio(
    index=65666.19,
    futures=(Future(0.314538364, 65910.57), Future(-0.001187534, 67371.75, days=10.6)),
)


def test_published_risk_matrix_is_recomputed() -> None:
    matrix = risk_matrix(PUBLISHED, portfolio_parameters("btc-2024-06"))
    lowest = [-0.05968587238095239, -0.04272965863636364, -0.02724789826086957, -0.013056284583333334]
    np.testing.assert_allclose(matrix.standard[:4], np.repeat(lowest, 3).reshape(4, 3), rtol=1e-13)
    np.testing.assert_array_equal(matrix.standard[4:], np.zeros((5, 3)))
    np.testing.assert_array_equal(matrix.extended, np.zeros(8))
    assert math.isclose(matrix.worst_case, 0.05968587238095239, rel_tol=1e-13)
    assert matrix.delta_shock == 0
    assert math.isclose(matrix.roll_shock, 0.00315725898, rel_tol=1e-13)


def test_published_margins_are_recomputed() -> None:
    need = SegregatedPortfolioMargin().requirement(PUBLISHED, 1.0, portfolio_parameters("btc-2024-06"))
    # the response rounds the worst case to nine digits before it adds
    assert math.isclose(float(need.initial), 0.06284313098, abs_tol=1e-9)
    assert math.isclose(float(need.maintenance), 0.050274504784, abs_tol=1e-9)


def test_published_single_future_profits_before_offsets() -> None:
    parameters = portfolio_parameters("btc-2024-06")
    alone = CoinPortfolio(65666.19, (Future(0.314538364, 65910.57),))
    short = CoinPortfolio(65666.19, (Future(-0.314538364, 65910.57),))
    low, high = -0.05991206933333334, 0.04338460193103449
    assert math.isclose(risk_matrix(alone, parameters).standard[0, 0], low, rel_tol=1e-13)
    assert math.isclose(-risk_matrix(short, parameters).standard[-1, 0], high, rel_tol=1e-13)


def test_short_option_tails_count_beyond_the_dampener() -> None:
    parameters = portfolio_parameters("btc-2024-06")
    call = CoinOption(-400.0, 150_000.0, True, 66_000.0, 20.0, 0.6)
    matrix = risk_matrix(CoinPortfolio(65_666.0, options=(call,)), parameters)
    assert matrix.worst_case == pytest.approx(-matrix.extended.min())
    assert matrix.worst_case > -matrix.standard.min()


def test_hedged_delta_has_no_delta_shock_and_large_delta_is_capped() -> None:
    parameters = portfolio_parameters("btc-2024-06")
    put = CoinOption(5_000.0, 200_000.0, False, 66_000.0, 20.0, 0.6)
    hedged = CoinPortfolio(65_666.0, (Future(5_000.0, 66_000.0),), (put,))
    naked = CoinPortfolio(65_666.0, (Future(5_000.0, 66_000.0),))
    assert risk_matrix(hedged, parameters).delta_shock < risk_matrix(naked, parameters).delta_shock
    assert risk_matrix(naked, parameters).delta_shock == pytest.approx(5_000.0 * 0.1)


def test_volatility_floor_applies_upwards_only() -> None:
    parameters = portfolio_parameters("btc-2024-06")
    quiet = CoinOption(1.0, 60_000.0, True, 66_000.0, 30.0, 0.1)
    assert shocked_volatility(quiet, parameters, 1) == 0.5
    assert shocked_volatility(quiet, parameters, 0) == 0.1
    assert shocked_volatility(quiet, parameters, -1) == pytest.approx(0.075)


def test_net_transaction_delta_is_the_coin_values_slope() -> None:
    option = CoinOption(-3.0, 60_000.0, False, 66_000.0, 45.0, 0.7)
    up, down = option.coin_value(np.array([1e-6, -1e-6]), np.full(2, 0.7))
    assert option.delta() == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_standard_margin_follows_its_rules() -> None:
    rules = deribit.standard_parameters("inverse-2026-11")
    held = deribit.OptionPositions([110.0, 90.0, 100.0, 300.0], [True, False, True, False], [-1, -2, 5, -1],
                                   [0.02, 0.03, 0.05, 2.0])  # fmt: skip
    initial, maintenance = deribit.margins(held, 100.0, rules)
    np.testing.assert_allclose(initial, [0.12, 0.26, 0.0, 2.15])
    np.testing.assert_allclose(maintenance, [0.095, 0.21, 0.0, 2.15])
    whole = deribit.StandardMargin().requirement(held, 100.0, rules)
    assert whole.initial == pytest.approx(initial.sum())
    assert whole.equity == pytest.approx(-0.02 - 0.06 + 0.25 - 2.0)


def test_scalars_give_what_arrays_give() -> None:
    rules = deribit.standard_parameters("inverse-2026-11")
    columns = ([110.0, 90.0], [True, False], [-1.0, -2.0], [0.02, 0.03])
    whole = deribit.margins(deribit.OptionPositions(*columns), 100.0, rules)
    for i in range(2):
        one = deribit.margins(deribit.OptionPositions(*(column[i] for column in columns)), 100.0, rules)
        assert [float(each) for each in one] == [float(each[i]) for each in whole]


@pytest.mark.parametrize(
    ("strike", "amount", "mark", "underlying", "field"),
    [
        (0.0, -1.0, 0.1, 100.0, "strike"),
        (100.0, math.nan, 0.1, 100.0, "amount"),
        (100.0, -1.0, -0.1, 100.0, "mark"),
        (100.0, -1.0, 0.1, -5.0, "underlying"),
    ],
)
def test_standard_margin_names_bad_input(
    strike: float, amount: float, mark: float, underlying: float, field: str
) -> None:
    held = deribit.OptionPositions(strike, True, amount, mark)
    with pytest.raises(MarginError) as caught:
        deribit.margins(held, underlying, deribit.standard_parameters("inverse-2026-11"))
    assert caught.value.field == field


def test_unknown_tables_and_expired_options_are_refused() -> None:
    with pytest.raises(MarginError, match="unknown table"):
        portfolio_parameters("doge-1999")
    with pytest.raises(MarginError, match="unknown table"):
        deribit.standard_parameters("1999")
    with pytest.raises(MarginError) as caught:
        CoinOption(1.0, 100.0, True, 100.0, 0.0, 0.5)
    assert caught.value.field == "option.days"
