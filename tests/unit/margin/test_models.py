"""Lending, schedules, perpetuals and risk answer through the one interface, as their functions do."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.catalogue import ENTRIES
from keeper.margin.interface import MarginModel, Requirement
from keeper.margin.lending import models as lending
from keeper.margin.lending.aave import rules
from keeper.margin.lending.aave.health import AccruedMarket
from keeper.margin.lending.aave.state import AccountData, AccountState
from keeper.margin.lending.comet.account import Account, Holding
from keeper.margin.lending.comet.rates import Totals
from keeper.margin.lending.comet.terms import BASE_INDEX_SCALE, CollateralTerms, CometTerms
from keeper.margin.lending.liquity.trove import V1, Trove
from keeper.margin.lending.morpho.market import MarketState, MarketTerms
from keeper.margin.lending.morpho.position import Position as MorphoPosition
from keeper.margin.lending.worsening import liquidation_worsens, worsening_ltv
from keeper.margin.perps import models as perps
from keeper.margin.perps import perp_v2
from keeper.margin.perps.dydx_v4.risk import Perpetual
from keeper.margin.perps.gmx_v2 import position as gmx
from keeper.margin.perps.synthetix_v3 import account as snx
from keeper.margin.risk import dynamic, shortfall
from keeper.margin.rounding import WAD
from keeper.margin.schedules import binance, deribit_linear, drift
from keeper.margin.schedules import models as schedules
from keeper.margin.schedules.dydx_v4 import LiquidityTier
from tests.unit.margin.risk import series

pytestmark = pytest.mark.unit

USD = 10**30
ETH_PRICE = 5_000 * 10**12
RETURNS = np.column_stack([series.garch(700, seed) for seed in (1, 2)])

CASES: dict[str, tuple[MarginModel[Any, Any, Any], Any, Any, Any]] = {
    "aave": (
        lending.AaveV3(),
        AccountState(0, 0, ()),
        AccruedMarket(rules.V36, 0, {}, {}),
        rules.V36,
    ),
    "morpho": (
        lending.MorphoBlue(),
        MorphoPosition(200, 50 * 10**6),
        lending.PricedMarket(MarketState(0, 0, 1_000, 10**9), 10**36),
        MarketTerms(86 * WAD // 100),
    ),
    "comet": (
        lending.CompoundV3(),
        Account(-(10**9), [Holding(WAD, 2_000 * 10**8, CollateralTerms(WAD, WAD // 2, WAD // 2, WAD))]),
        lending.CometMarket(Totals(BASE_INDEX_SCALE, BASE_INDEX_SCALE, 0, 0)),
        CometTerms(10**6),
    ),
    "liquity": (
        lending.LiquityV1(),
        Trove(6 * WAD, 10_000 * WAD),
        lending.TroveSystem(Trove(700 * WAD, 10**6 * WAD), 2_000 * WAD),
        V1,
    ),
    "tiers": (
        schedules.TieredMargin(),
        schedules.LinearAccount(Fraction(-6), Fraction(5_000)),
        Fraction(44_000),
        binance.BTCUSDT_2021,
    ),
    "deribit": (
        schedules.DeribitLinear(),
        schedules.LinearAccount(Fraction(25), Fraction(60_000)),
        Fraction(100_000),
        deribit_linear.TERMS["BTC_USDC"],
    ),
    "drift": (
        schedules.DriftV2(),
        schedules.DriftAccount(5 * 10**9, 10**8, 10**9),
        3_000 * 10**6,
        drift.PerpTerms(1_000, 500, 550),
    ),
    "synthetix": (
        perps.SynthetixV3(),
        perps.SynthetixAccount(
            10**5 * WAD,
            (
                snx.Position(
                    WAD, 3_000 * WAD, 3_100 * WAD, snx.MarketTerms(10**6 * WAD, WAD, WAD // 50, WAD // 2)
                ),
            ),
        ),
        None,
        snx.NO_KEEPER,
    ),
    "gmx": (
        perps.GmxV2(),
        gmx.Position(True, 10**5 * USD, 20 * WAD, 10 * WAD),
        perps.GmxMarket(gmx.Prices(ETH_PRICE, ETH_PRICE, ETH_PRICE)),
        gmx.PositionTerms(USD, USD // 100),
    ),
    "dydx": (
        perps.DydxV4(),
        perps.DydxSubaccount(
            -4_501 * 10**6, ((Perpetual(500, 0, -6, LiquidityTier(200_000, 500_000)), 10**7),)
        ),
        None,
        None,
    ),
    "perp": (
        perps.PerpProtocolV2(),
        perps.PerpV2Account(600 * WAD, (perp_v2.Position(100 * WAD, -(10**4) * WAD, 100 * WAD, 100 * WAD),)),
        None,
        perp_v2.V2,
    ),
    "shortfall": (
        shortfall.ExpectedShortfallMargin(),
        shortfall.Exposures([1_000.0, -200.0], 100.0),
        shortfall.ReturnHistory(RETURNS),
        shortfall.ShortfallTerms(),
    ),
    "dynamic": (
        dynamic.DynamicMargin(),
        dynamic.DynamicPosition(10**6, 10**5),
        RETURNS[:, 0],
        dynamic.DynamicTerms(2.67, buffer=0.25),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_model_answers_with_a_requirement(case: tuple[MarginModel[Any, Any, Any], Any, Any, Any]) -> None:
    model, positions, market, parameters = case
    needed = model.requirement(positions, market, parameters)
    assert isinstance(needed, Requirement)
    assert needed.initial >= needed.maintenance >= 0  # type: ignore[operator]
    assert model.name in ENTRIES
    assert model.version


def test_names_are_one_models() -> None:
    names = [case[0].name for case in CASES.values()]
    assert len(set(names)) == len(names)


def test_aave_health_below_one_is_equity_below_maintenance() -> None:
    for health in (WAD - 1, WAD, WAD + 1):
        needed = lending.aave_requirement(AccountData(100, 90, 9_000, health))
        assert (needed.equity < needed.maintenance) is (health < WAD)  # type: ignore[operator]


def test_aave_refuses_rules_other_than_the_markets() -> None:
    with pytest.raises(MarginError) as refused:
        lending.AaveV3().requirement(AccountState(0, 0, ()), AccruedMarket(rules.V36, 0, {}, {}), rules.V37)
    assert refused.value.field == "parameters"


@pytest.mark.parametrize(
    "method", [each for each in shortfall.Method if each is not shortfall.Method.CORNISH_FISHER]
)
@pytest.mark.parametrize("days", [1, 5])
def test_many_accounts_need_what_each_needs_alone(method: shortfall.Method, days: int) -> None:
    held = np.random.default_rng(1).normal(0, 1_000, (40, 2))
    terms = shortfall.ShortfallTerms(method, days=days, paths=2_000, seed=3)
    history = shortfall.ReturnHistory(RETURNS)
    model = shortfall.ExpectedShortfallMargin()
    together = model.requirement(shortfall.Exposures(held, np.zeros(40)), history, terms)
    alone = [model.requirement(shortfall.Exposures(row, 0.0), history, terms) for row in held]
    assert together.initial == pytest.approx([each.initial for each in alone], rel=1e-9)
    assert together.maintenance == pytest.approx([each.maintenance for each in alone], rel=1e-9)
    assert (together.initial >= together.maintenance).all()  # type: ignore[operator, union-attr]


def test_hedged_exposures_need_less_than_their_parts() -> None:
    model, terms = shortfall.ExpectedShortfallMargin(), shortfall.ShortfallTerms()
    history = shortfall.ReturnHistory(RETURNS)

    def initial(*exposures: float) -> Any:
        return model.requirement(shortfall.Exposures(exposures, 0.0), history, terms).initial

    assert initial(1_000, -500) <= initial(1_000, 0) + initial(0, -500)
    assert initial(1_000, 500) <= initial(1_000, 0) + initial(0, 500)


@pytest.mark.parametrize(
    ("field", "exposures", "history", "terms"),
    [
        ("returns", ([1.0], 0.0), {"covariance": [[1.0]]}, {}),
        ("equity", ([1.0], [0.0]), {"returns": RETURNS[:, :1]}, {}),
        ("gamma", ([1.0], 0.0, [[0.0]]), {"returns": RETURNS[:, :1]}, {}),
        (
            "exposures",
            ([[1.0], [2.0]], [0.0, 0.0]),
            {"covariance": [[1.0]]},
            {"method": shortfall.Method.CORNISH_FISHER},
        ),
        ("exposures", ([1.0, 2.0, 3.0], 0.0), {"returns": RETURNS}, {}),
    ],
)
def test_bad_input_names_its_field(
    field: str, exposures: tuple[Any, ...], history: dict[str, Any], terms: dict[str, Any]
) -> None:
    with pytest.raises(MarginError) as refused:
        shortfall.ExpectedShortfallMargin().requirement(
            shortfall.Exposures(*exposures),
            shortfall.ReturnHistory(**history),
            shortfall.ShortfallTerms(**terms),
        )
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("method", {"method": "guess"}),
        ("level", {"level": 1.0}),
        ("maintenance_level", {"level": 0.95}),
        ("days", {"days": 0}),
        ("paths", {"paths": -1}),
        ("decay", {"decay": 1.0}),
    ],
)
def test_terms_that_make_no_sense_are_refused(field: str, terms: dict[str, Any]) -> None:
    with pytest.raises(MarginError) as refused:
        shortfall.ShortfallTerms(**terms)
    assert refused.value.field == field


amounts = st.integers(1, 10**24)


@given(amounts, amounts, st.integers(10_001, 12_000), st.integers(1, 99))
def test_liquidation_worsens_exactly_past_the_inverse_of_the_incentive(
    debt: int, collateral: int, incentive: int, percent: int
) -> None:
    repaid = Fraction(debt * percent, 100)
    left = collateral - repaid * incentive / 10_000
    worsens = liquidation_worsens(debt, collateral, incentive, 10_000)
    assert worsens is (Fraction(debt, collateral) > worsening_ltv(incentive, 10_000))
    if left > 0:
        assert worsens is ((debt - repaid) / left > Fraction(debt, collateral))
