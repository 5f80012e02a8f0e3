"""SPAN's scenarios and scan risk; the venues' per-option rules."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.margin.interface import Provenance
from keeper.margin.options import black76, span, venue_rules

pytestmark = pytest.mark.unit

TEST = Provenance("test", date(2024, 1, 1), "test")
PARAMETERS = span.SpanParameters(TEST, price_range=10.0, volatility_range=0.1)
CALL = span.SpanOption(-2.0, 100.0, 105.0, 0.3, 0.4, True, 50.0)
FUTURE = span.SpanFuture(1.0, 100.0, 50.0)


def test_there_are_sixteen_scenarios_in_spans_order() -> None:
    scenarios = PARAMETERS.scenarios
    assert len(scenarios) == 16
    assert [s.price for s in scenarios[:4]] == [0.0, 0.0, pytest.approx(1 / 3), pytest.approx(1 / 3)]
    assert [s.volatility for s in scenarios[:14]] == [1.0, -1.0] * 7
    assert [(s.price, s.weight) for s in scenarios[14:]] == [(2.0, 0.35), (-2.0, 0.35)]


def test_option_array_is_its_revaluation() -> None:
    losses = span.risk_array(CALL, PARAMETERS)
    now = float(black76.price(100.0, 105.0, 0.3, 0.4, True))
    for i, scenario in enumerate(PARAMETERS.scenarios):
        then = black76.price(100.0 + 10.0 * scenario.price, 105.0, 0.3, 0.4 + 0.1 * scenario.volatility, True)
        assert losses[i] == pytest.approx(-2.0 * 50.0 * (now - float(then)) * scenario.weight)


def test_arrays_add_and_a_hedge_never_raises_scan_risk() -> None:
    arrays = [span.risk_array(p, PARAMETERS) for p in (CALL, FUTURE)]
    whole = span.combined(arrays, [1.0, 1.0])
    np.testing.assert_allclose(whole, arrays[0] + arrays[1])
    assert span.scan_risk(whole) <= sum(span.scan_risk(a) for a in arrays)
    need = span.Span().requirement(span.SpanPortfolio((FUTURE,), (CALL,)), 5_000.0, PARAMETERS)
    assert need.initial == need.maintenance == span.scan_risk(whole)
    assert span.scan_risk(-np.ones(16)) == 0.0


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: span.SpanOption(1.0, 100.0, 90.0, 0.0, 0.4, True), "option.years"),
        (lambda: span.SpanOption(1.0, 100.0, 90.0, 1.0, -0.4, True), "option.volatility"),
        (lambda: span.SpanFuture(math.nan, 100.0), "future.quantity"),
        (lambda: span.SpanParameters(TEST, 0.0, 0.1), "span.price_range"),
        (lambda: span.combined([[1.0]], [1.0, 2.0]), "quantities"),
        (lambda: span.combined([[1.0], [1.0, 2.0]], [1.0, 2.0]), "arrays"),
        (lambda: span.scan_risk([math.nan]), "losses[0]"),
    ],
)
def test_span_names_bad_input(make: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        make()
    assert caught.value.field == field


def test_venue_rules_take_arrays() -> None:
    otm = venue_rules.out_of_the_money(100.0, [90.0, 110.0], [[True], [False]])
    np.testing.assert_array_equal(otm, [[0.0, 10.0], [10.0, 0.0]])
    margin = venue_rules.reg_t_short(
        [100.0, 100.0], [130.0, 60.0], 1.0, 1.0, [True, False], venue_rules.RegTRules()
    )
    # both so far out that the floor holds: 10 % of the underlying, 10 % of the strike
    np.testing.assert_allclose(margin, [1_100.0, 700.0])


def test_long_bybit_options_need_no_maintenance_and_fees_are_capped() -> None:
    rules = venue_rules.BybitRules()
    assert float(venue_rules.bybit_maintenance(30_000.0, 300.0, 1.0, rules)) == 0.0
    assert float(venue_rules.capped_fee(10.0, 40_000.0, -2.0, 0.0003, 0.125)) == 2.5


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: venue_rules.premium(-1.0, 1.0), "price"),
        (lambda: venue_rules.out_of_the_money(math.nan, 1.0, True), "underlying"),
        (lambda: venue_rules.okx_short_call(0.0, 0.0, 0.1, 1.0, venue_rules.OkxRules()), "underlying"),
        (lambda: venue_rules.futures_contingency(1.0, 1.0, -0.1), "rate"),
        (lambda: venue_rules.BybitRules(fee_rate=-1.0), "bybit.fee_rate"),
        (lambda: venue_rules.RegTRules(shares=0.0), "reg_t.shares"),
    ],
)
def test_venue_rules_name_bad_input(make: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        make()
    assert caught.value.field == field
