"""Derive's managers beyond their published cases: structure, contingencies, refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.options.derive import pmrm, pmrm2, srm
from keeper.margin.options.derive.holdings import Expiry, Option, forward_portions, naked_shorts
from keeper.margin.options.derive.pmrm2_parameters import Contingencies, Pmrm2Parameters
from keeper.margin.options.derive.shocks import VolatilityRange, VolShock
from tests.unit.margin.vector_files import read_vectors
from tests.unit.margin.vector_models.options_derive import _pmrm2_parameters

pytestmark = pytest.mark.unit

WEEK = 7 * 86_400.0


def expiry(*options: Option, seconds: float = WEEK, confidence: float = 1.0) -> Expiry:
    return Expiry(seconds, 0.0, 2000.0, confidence, options, 0.05)


def srm_account(*options: Option, cash: float = 0.0, **market: Any) -> srm.SrmPortfolio:
    held = (expiry(*options),) if options else ()
    return srm.SrmPortfolio(cash, (srm.SrmMarket(2000.0, 1.0, expiries=held, **market),))


def pm2_account(*options: Option, **rest: Any) -> pmrm2.Pmrm2Portfolio:
    held = (expiry(*options),) if options else ()
    return pmrm2.Pmrm2Portfolio(2000.0, 1.0, 1.0, expiries=held, **rest)


options_held = st.lists(
    st.builds(
        Option,
        strike=st.sampled_from([1500.0, 1800.0, 2000.0, 2200.0, 2600.0]),
        is_call=st.booleans(),
        amount=st.floats(-5, 5).map(lambda x: round(x, 2)),
        volatility=st.floats(0.3, 1.2),
    ),
    max_size=6,
    unique_by=lambda option: (option.strike, option.is_call),
)


def test_the_default_parameters_are_the_published_ones(pytestconfig: pytest.Config) -> None:
    vectors = read_vectors(pytestconfig.rootpath / "tests" / "vectors")
    case = next(v for v in vectors if v.id.endswith("test_3_collateral_multiple_stables"))
    published, ours = _pmrm2_parameters(case.inputs["Parameters"]), Pmrm2Parameters()
    assert published.factors == ours.factors
    assert published.skew == ours.skew
    assert published.contingencies.basis_up == ours.contingencies.basis_up
    assert published.volatility_range == ours.volatility_range
    assert len(published.scenarios) == len(ours.scenarios) == 31
    for theirs, own in zip(published.scenarios, ours.scenarios, strict=True):
        assert theirs.volatility is own.volatility
        assert theirs.spot == pytest.approx(own.spot)
        assert theirs.dampening == pytest.approx(own.dampening)


@settings(max_examples=80, deadline=None)
@given(options_held)
def test_srm_initial_is_never_laxer_than_maintenance_and_never_beyond_worst_payoff(
    held: list[Option],
) -> None:
    got = srm.margins(srm_account(*held), 1.0, srm.SrmParameters())
    assert got.initial <= got.maintenance + 1e-9
    assert got.maintenance <= 1e-9


@settings(max_examples=60, deadline=None)
@given(options_held, st.floats(0.1, 10.0))
def test_pmrm2_scales_with_the_position_and_orders_its_margins(held: list[Option], size: float) -> None:
    parameters = Pmrm2Parameters()
    once = pmrm2.margins(pm2_account(*held), parameters)
    scaled = [replace(option, amount=option.amount * size) for option in held]
    again = pmrm2.margins(pm2_account(*scaled), parameters)
    assert again.initial == pytest.approx(once.initial * size, rel=1e-9, abs=1e-6)
    assert again.maintenance == pytest.approx(once.maintenance * size, rel=1e-9, abs=1e-6)
    assert once.initial <= once.maintenance + 1e-9 <= once.mark_to_market + 2e-9


@settings(max_examples=60, deadline=None)
@given(options_held, options_held)
def test_naked_shorts_never_exceed_the_sum_of_the_parts(one: list[Option], other: list[Option]) -> None:
    assert naked_shorts(one + other) <= naked_shorts(one) + naked_shorts(other) + 1e-9


def test_naked_shorts_pair_by_strike_whatever_the_kind() -> None:
    call, put = Option(2000.0, True, -3.0, 0.5), Option(2000.0, False, 2.0, 0.5)
    assert naked_shorts([call, put]) == 1.0
    assert naked_shorts([call, replace(put, strike=2100.0)]) == 3.0
    assert naked_shorts([call, replace(put, amount=-2.0)]) == 5.0


def test_bought_call_caps_a_short_calls_margin_in_srm() -> None:
    short = Option(2000.0, True, -1.0, 0.6)
    cap = Option(2200.0, True, 1.0, 0.6)
    alone = srm.margins(srm_account(short), 1.0, srm.SrmParameters())
    spread = srm.margins(srm_account(short, cap), 1.0, srm.SrmParameters())
    assert spread.maintenance == -200.0
    assert alone.maintenance < spread.maintenance


def test_market_parameters_override_the_accounts() -> None:
    strict = srm.SrmParameters(perp_maintenance=0.1, perp_initial=0.2)
    account = srm_account(perp_position=2.0, perp_price=2000.0, parameters=strict)
    got = srm.margins(account, 1.0, srm.SrmParameters())
    assert (got.initial, got.maintenance) == (-800.0, -400.0)


def test_doubtful_feeds_cost_initial_margin_only() -> None:
    short = Option(2000.0, True, -1.0, 0.6)
    sure = pmrm2.margins(pm2_account(short), Pmrm2Parameters())
    doubtful = pm2_account()
    doubtful = replace(doubtful, expiries=(expiry(short, confidence=0.3),))
    unsure = pmrm2.margins(doubtful, Pmrm2Parameters())
    assert unsure.maintenance == sure.maintenance
    assert unsure.initial == pytest.approx(sure.initial - 0.7 * 2000.0)


def test_risk_cancelling_collateral_hedges_a_short_perp() -> None:
    ether = pmrm2.Collateral(1.0, 2000.0, 1.0, 0.01, 0.01, True)
    idle = replace(ether, risk_cancelling=False)
    short = {"perp_position": -1.0, "perp_price": 2000.0}
    hedged = pmrm2.margins(pm2_account(collaterals=(ether,), **short), Pmrm2Parameters())
    apart = pmrm2.margins(pm2_account(collaterals=(idle,), **short), Pmrm2Parameters())
    np.testing.assert_allclose(hedged.scenario_profits, 0.0, atol=1e-9)
    assert hedged.maintenance > apart.maintenance


def test_requirements_restate_net_margins() -> None:
    account = pm2_account(Option(2000.0, True, -1.0, 0.6), cash=700.0)
    need = pmrm2.PortfolioMarginManager2().requirement(account, None, Pmrm2Parameters())
    net = pmrm2.margins(account, Pmrm2Parameters())
    assert need.equity - need.initial == pytest.approx(net.initial)  # type: ignore[operator]
    assert need.equity - need.maintenance == pytest.approx(net.maintenance)  # type: ignore[operator]
    assert (need.health > 1) is (net.maintenance > 0)
    flat = pmrm.PmrmPortfolio(2000.0, 1.0, 1.0, cash=50.0)
    assert pmrm.PortfolioMarginManager().requirement(flat, None, pmrm.PmrmParameters()).health == math.inf
    held = srm_account(Option(2000.0, False, -1.0, 0.6), cash=10.0)
    standard = srm.StandardManager().requirement(held, 1.0, srm.SrmParameters())
    assert standard.equity - standard.initial == pytest.approx(  # type: ignore[operator]
        srm.margins(held, 1.0, srm.SrmParameters()).initial
    )


def test_forward_fixes_linearly_in_the_last_half_hour() -> None:
    assert forward_portions(3000.0, 3600.0) == (0.0, 3000.0)
    assert forward_portions(3000.0, 900.0) == (1500.0, 1500.0)
    assert forward_portions(3000.0, 0.0) == (3000.0, 0.0)


def test_volatility_range_needs_a_floor_at_expiry() -> None:
    with pytest.raises(MarginError) as caught:
        VolatilityRange(0.5, 0.3, 0.3, 0.13, 0.0).multiplier(VolShock.UP, 0.0)
    assert caught.value.field == "volatility_range.floor_days"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Option(-1.0, True, 1.0, 0.5), "option.strike"),
        (lambda: Option(100.0, True, math.nan, 0.5), "option.amount"),
        (lambda: Option(100.0, True, 1.0, -0.5), "option.volatility"),
        (lambda: Option(100.0, True, 1.0, None), "option.volatility"),  # type: ignore[arg-type]
        (lambda: Expiry(-1.0, 0.0, 100.0, 1.0, ()), "expiry.seconds"),
        (lambda: Expiry(1.0, 0.0, 0.0, 1.0, ()), "expiry.forward"),
        (lambda: Expiry(1.0, 0.0, 100.0, 1.5, ()), "expiry.confidence"),
        (lambda: srm.SrmMarket(-5.0, 1.0), "market.spot"),
        (lambda: srm.SrmMarket(5.0, 1.0, base=-1.0), "market.base"),
        (lambda: srm.SrmPortfolio(math.inf), "portfolio.cash"),
        (lambda: srm.SrmParameters(provenance=replace(srm.SRM, version="")), "srm.provenance"),
        (lambda: srm.SrmParameters(oracle_factor=-0.1), "srm.oracle_factor"),
        (lambda: pmrm.PmrmPortfolio(2000.0, 1.0, 0.0), "portfolio.stable_price"),
        (lambda: pmrm.PmrmParameters(scenarios=()), "pmrm.scenarios"),
        (lambda: pmrm2.Collateral(1.0, 1.0, 1.0, 1.1, 0.0, True), "collateral.maintenance_haircut"),
        (lambda: Contingencies(basis_up=0.9), "contingencies.basis_up"),
        (lambda: Pmrm2Parameters(scenarios=()), "pmrm2.scenarios"),
    ],
)
def test_bad_input_names_its_field(make: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        make()
    assert caught.value.field == field
