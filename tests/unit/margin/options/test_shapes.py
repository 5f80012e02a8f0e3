"""Option margins as functions: monotone and continuous where their models say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.margin.options import deribit, opyn_naked, venue_rules
from keeper.margin.options.derive import pmrm, pmrm2, srm
from keeper.margin.options.derive.holdings import Expiry, Option
from keeper.margin.options.derive.pmrm2_parameters import Pmrm2Parameters
from keeper.margin.options.fixed_point import ONE

pytestmark = pytest.mark.unit

RULES = deribit.standard_parameters("inverse-2026-11")
FACTORS = np.linspace(0.5, 2.0, 301)
HELD = (
    Option(1_800.0, False, -1.0, 0.7),
    Option(2_000.0, True, -2.0, 0.6),
    Option(2_300.0, True, 1.5, 0.65),
    Option(1_500.0, False, 1.0, 0.8),
)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.floats(0.0, 2.0), st.floats(50.0, 200.0))
def test_deribit_standard_margins_are_ordered_monotone_and_continuous(
    call: bool, mark: float, underlying: float
) -> None:
    strikes = np.linspace(20.0, 500.0, 2_001)
    held = deribit.OptionPositions(strikes, call, -1.0, mark)
    initial, maintenance = deribit.margins(held, underlying, RULES)
    assert (initial >= maintenance - 1e-12).all()
    assert (maintenance >= mark).all()
    # further out of the money never needs more; a step of strike moves the rate by at most step/S
    steps = np.diff(initial) if call else -np.diff(initial)
    assert (steps <= 1e-12).all()
    assert np.abs(steps).max() <= (strikes[1] - strikes[0]) / underlying + 1e-12


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(0, 10**11), st.booleans())
def test_opyn_naked_margin_is_monotone_in_price(strike: int, price: int, more: int, is_put: bool) -> None:
    def need(at: int) -> int:
        return opyn_naked.naked_required(
            is_put=is_put, short_amount=10**8, strike=strike, price=at,
            upper_bound=ONE // 5, spot_shock=3 * ONE // 4,
        )  # fmt: skip

    # a put in strike asset needs less, a call in the underlying needs more as the price rises
    low, high = need(price), need(price + more)
    assert high <= low if is_put else high >= low - 1


def test_reg_t_is_continuous_in_the_underlying() -> None:
    prices = np.linspace(50.0, 400.0, 3_501)
    for call in (True, False):
        margin = venue_rules.reg_t_short(prices, 200.0, 1.0, 1.0, call, venue_rules.RegTRules())
        assert np.abs(np.diff(margin)).max() <= 1.2 * 0.1 * 100 + 1e-9


def moved(expiry: Expiry, factor: float) -> Expiry:
    return replace(expiry, forward_variable=expiry.forward_variable * factor)


EXPIRY = Expiry(14 * 86_400.0, 0.0, 2_010.0, 1.0, HELD, 0.05)


def steady(values: np.ndarray) -> bool:
    """Whether no step is far above its neighbours, as it would be at a jump."""
    steps = np.abs(np.diff(values))
    around = np.maximum(steps[:-2], steps[2:])
    return bool((steps[1:-1] <= 3.0 * around + 0.5).all())


def test_derive_margins_are_continuous_in_price() -> None:
    standard, first, second = [], [], []
    for factor in FACTORS:
        spot, expiry = 2_000.0 * factor, moved(EXPIRY, float(factor))
        market = srm.SrmMarket(spot, 1.0, (expiry,), 0.5, spot, 1.0, 0.0, 0.3)
        standard.append(srm.margins(srm.SrmPortfolio(100.0, (market,)), 1.0, srm.SrmParameters()))
        one = pmrm.PmrmPortfolio(spot, 1.0, 1.0, 0.0, 0.5, spot, expiries=(expiry,), base=0.3)
        first.append(pmrm.margins(one, pmrm.PmrmParameters()))
        two = pmrm2.Pmrm2Portfolio(spot, 1.0, 1.0, 0.0, 0.5, spot, expiries=(expiry,))
        second.append(pmrm2.margins(two, Pmrm2Parameters()))
    for found in (standard, first, second):
        for name in ("initial", "maintenance", "mark_to_market"):
            assert steady(np.array([getattr(each, name) for each in found]))


def test_pmrm2_needs_more_for_wider_shocks_and_more_scenarios() -> None:
    account = pmrm2.Pmrm2Portfolio(2_000.0, 1.0, 1.0, expiries=(EXPIRY,))
    base = Pmrm2Parameters()
    fewer = replace(base, scenarios=base.scenarios[:5])
    wider = replace(base, volatility_range=replace(base.volatility_range, up=1.0, down=0.5))
    here = pmrm2.margins(account, base)
    assert pmrm2.margins(account, fewer).maintenance >= here.maintenance
    assert pmrm2.margins(account, wider).maintenance <= here.maintenance + 1e-9
    stricter = replace(base, factors=replace(base.factors, initial=1.5))
    assert pmrm2.margins(account, stricter).initial <= here.initial
