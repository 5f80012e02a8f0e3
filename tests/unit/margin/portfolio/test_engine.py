"""The engine against a slow independent revaluation, and the properties it promises."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.errors import MarginError
from keeper.margin.interface import Provenance
from keeper.margin.portfolio.accounts import Accounts, CollateralLegs, OptionLegs, SpotLegs
from keeper.margin.portfolio.engine import PortfolioMargin, evaluate, scenario_losses
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.scenarios import Stress, historical, standard_grid, stresses
from tests.unit.margin.portfolio.books import (
    MARKET,
    depths,
    merged,
    options,
    parameters,
    perps,
    random_book,
)

pytestmark = pytest.mark.unit

CRASHES = stresses(
    MARKET.names,
    [
        Stress("crash", {"BTC": -0.45, "ETH": -0.55}, volatility=2.0, weight=0.6),
        Stress("decoupling", {"BTC": 0.20, "ETH": -0.30}, volatility=1.4),
        Stress("calm", {}, volatility=0.6),
    ],
)


def brute_loss(book: Accounts, account: int, factor: Any, vol: Any, u: int | None) -> float:
    """Loss of one account with QuantLib, leg by leg, over one underlying or (None) all."""
    loss = 0.0
    o = book.options
    for i in np.flatnonzero(o.account == account):
        v = int(o.underlying[i])
        if u is not None and v != u:
            continue
        kind = ql.Option.Call if o.is_call[i] else ql.Option.Put
        forward = MARKET.spot[v] * o.forward_ratio[i]
        days = o.years[i] * 365
        root = math.sqrt(o.years[i])
        now = ql.blackFormula(kind, o.strike[i], forward, o.volatility[i] * root, o.discount[i])
        moved = o.volatility[i] * vol(v, days) * root
        then = ql.blackFormula(kind, o.strike[i], forward * factor(v), moved, o.discount[i])
        loss -= o.quantity[i] * (then - now)
    for legs in (book.perps, book.spot):
        for i in np.flatnonzero(legs.account == account):
            v = int(legs.underlying[i])
            if u is None or v == u:
                loss -= legs.quantity[i] * MARKET.spot[v] * (factor(v) - 1.0)
    return float(loss)


def test_losses_and_worst_scenarios_agree_with_brute_force() -> None:
    book, p = random_book(1, 12), parameters(joint=CRASHES, grid=standard_grid(4, {4.0: 0.25}))
    losses, v = scenario_losses(book, MARKET, p), evaluate(book, MARKET, p)
    shock = p.volatility_shock

    def by_step(step: float, days: float) -> float:
        power = shock.short_power if days <= 30 + 1e-9 else shock.long_power
        size = (30 / max(days, 1)) ** power * (shock.up * step if step > 0 else shock.down * step)
        return max(1.0 + float(size), 0.0)

    for account in range(12):
        for u in range(2):
            expected = [
                weight
                * brute_loss(
                    book,
                    account,
                    lambda v, price=price: 1 + p.price_range[v] * price,
                    lambda v, days, step=step: by_step(step, days),
                    u,
                )
                for price, step, weight in zip(p.grid.price, p.grid.volatility, p.grid.weight, strict=True)
            ]
            np.testing.assert_allclose(losses.grid[account, u], expected, rtol=1e-9, atol=1e-6)
            assert v.grid_loss[account, u] == pytest.approx(max(max(expected), 0.0))
            if max(expected) > 1e-6:
                assert v.grid_scenario[account, u] == int(np.argmax(expected))
        joint = [
            CRASHES.weight[j]
            * brute_loss(
                book, account, lambda v, j=j: CRASHES.price[j, v],
                lambda v, days, j=j: CRASHES.volatility[j, v], None,
            )
            for j in range(len(CRASHES))
        ]  # fmt: skip
        np.testing.assert_allclose(losses.joint[account], joint, rtol=1e-9, atol=1e-6)
        worst = max(float(v.grid_loss[account].sum()), max(*joint, 0.0))
        assert v.worst_loss[account] == pytest.approx(worst)


def test_one_account_threads_and_parts_give_the_same_numbers() -> None:
    book, p = random_book(2, 6_000), parameters(joint=CRASHES, concentration=depths())
    whole = evaluate(book, MARKET, p)
    threaded = evaluate(book, MARKET, p, workers=2)
    for name in ("equity", "initial", "maintenance", "worst_loss", "grid_loss", "concentration"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(threaded, name))
    for account in (0, 1, 17, 5_999):
        alone = evaluate(book.one(account), MARKET, p)
        for name in ("equity", "initial", "maintenance"):
            assert getattr(alone, name)[0] == pytest.approx(getattr(whole, name)[account], rel=1e-12)


def test_prices_by_account_equal_separate_markets() -> None:
    book, p = random_book(3, 4), parameters(concentration=depths())
    spots = MARKET.spot * np.array([[1.0, 1.0], [0.9, 1.1], [1.2, 0.8], [0.5, 0.6]])
    together = evaluate(book, MarketData(MARKET.names, spots), p)
    for account in range(4):
        apart = evaluate(book.one(account), MarketData(MARKET.names, spots[account]), p)
        assert together.initial[account] == pytest.approx(apart.initial[0], rel=1e-12)
        assert together.equity[account] == pytest.approx(apart.equity[0], rel=1e-12)


@pytest.mark.parametrize("correlation", [None, np.eye(2), np.array([[1.0, 0.6], [0.6, 1.0]])])
def test_hedges_never_raise_margin_above_the_sum_of_parts(correlation: Any) -> None:
    p = parameters(joint=CRASHES, correlation=correlation)
    one, other = random_book(4, 300), random_book(5, 300)
    whole = evaluate(merged(one, other), MARKET, p)
    first, second = evaluate(one, MARKET, p), evaluate(other, MARKET, p)
    for name in ("initial", "maintenance", "worst_loss", "short_options", "basis"):
        parts = getattr(first, name) + getattr(second, name)
        assert (getattr(whole, name) <= parts + 1e-6).all()
    saved = first.initial + second.initial - whole.initial
    assert (saved > 1.0).mean() > 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 20.0))
def test_requirements_scale_with_the_positions(seed: int, size: float) -> None:
    book, p = random_book(seed, 5), parameters(joint=CRASHES)
    scaled = Accounts.of(
        book.cash,
        book.options.with_columns(quantity=book.options.quantity * size),
        book.perps.with_columns(quantity=book.perps.quantity * size),
        book.spot.with_columns(quantity=book.spot.quantity * size),
        book.collateral,
    )
    before, after = evaluate(book, MARKET, p), evaluate(scaled, MARKET, p)
    np.testing.assert_allclose(after.initial, before.initial * size, rtol=1e-9, atol=1e-6)


def test_requirement_is_monotone_in_range_shock_and_scenarios() -> None:
    book = random_book(6, 200)
    base = evaluate(book, MARKET, parameters()).initial
    more = parameters(joint=CRASHES)
    assert (evaluate(book, MARKET, more).initial >= base - 1e-9).all()
    tails = parameters(grid=standard_grid(5, {3.0: 0.3}))
    assert (evaluate(book, MARKET, tails).initial >= base - 1e-9).all()
    charged = parameters(short_option_rate=0.05, concentration=depths())
    assert (evaluate(book, MARKET, charged).initial >= base - 1e-9).all()
    v = evaluate(book, MARKET, charged)
    assert (v.initial >= v.maintenance).all() and (v.maintenance >= 0).all()


def test_requirement_is_continuous_in_price() -> None:
    book, p = random_book(7, 1, legs=8), parameters(joint=CRASHES, concentration=depths())
    steps = np.linspace(0.8, 1.25, 4_001)
    moved = evaluate(book.copies(len(steps)), MARKET.moved(np.outer(steps, [1.0, 1.0])), p)
    for values in (moved.initial, moved.equity):
        jumps = np.abs(np.diff(values))
        assert jumps.max() < 40 * np.median(jumps) + 1e-3 * np.abs(values).max()


def test_delta_neutral_spot_and_perp_need_only_basis() -> None:
    book = Accounts.of(np.zeros(1), perps=perps([(0, 0, -2.0, 60_000.0)]), spot=_spot(2.0))
    v = evaluate(book, MARKET, parameters(basis_rate=0.0, basis_minimum=0.0))
    assert v.initial[0] == pytest.approx(0.0, abs=1e-9)
    assert v.health[0] == np.inf
    charged = evaluate(book, MARKET, parameters())
    assert charged.initial[0] == pytest.approx(0.005 * 2 * 60_000.0)


def test_equity_counts_collateral_after_its_haircut() -> None:
    held = CollateralLegs(np.array([0]), np.array([1]), np.array([10.0]))
    v = evaluate(Accounts.of(np.array([100.0]), collateral=held), MARKET, parameters())
    assert v.equity[0] == pytest.approx(100.0 + 10 * 3_000 * 0.85)
    assert v.haircut_value[0] == pytest.approx(10 * 3_000 * 0.15)
    assert v.initial[0] == 0.0


def test_covered_short_options_are_not_naked() -> None:
    month = 30 / 365
    rows = [
        (0, 0, -2.0, 60_000.0, month, 0.6, True),
        (1, 0, -2.0, 60_000.0, month, 0.6, True),
        (1, 0, 1.5, 60_000.0, month, 0.6, False),
        (2, 0, -2.0, 60_000.0, month, 0.6, True),
        (2, 0, 2.0, 60_000.0, 2 * month, 0.6, True),
    ]
    v = evaluate(Accounts.of(np.zeros(3), options(rows)), MARKET, parameters(short_option_rate=0.01))
    np.testing.assert_allclose(v.short_options, [1_200.0, 300.0, 1_200.0])


def test_historical_days_are_scenarios() -> None:
    days = historical(["d1", "d2"], [[-0.5, -0.5], [0.1, 0.1]], [[0.8, 0.8], [0.0, 0.0]])
    book = Accounts.of(np.zeros(1), perps=perps([(0, 0, 1.0, 60_000.0)]))
    v = evaluate(book, MARKET, parameters(joint=days))
    assert v.worst_loss[0] == pytest.approx(30_000.0)
    assert v.joint_scenario[0] == 0
    both = evaluate(book, MARKET, parameters(joint=CRASHES + days))
    assert both.joint_scenario[0] == len(CRASHES)


def test_the_model_answers_in_the_common_shape() -> None:
    book, p = random_book(8, 20), parameters()
    need = PortfolioMargin().requirement(book, MARKET, p)
    v = evaluate(book, MARKET, p)
    np.testing.assert_array_equal(np.asarray(need.initial), v.initial)
    np.testing.assert_array_equal(np.asarray(need.health), v.health)


def test_an_empty_book_needs_nothing() -> None:
    assert evaluate(Accounts.of(np.zeros(0)), MARKET, parameters()).initial.shape == (0,)
    v = evaluate(Accounts.of(np.array([5.0])), MARKET, parameters())
    assert (v.equity[0], v.initial[0], v.health[0]) == (5.0, 0.0, np.inf)


def _spot(quantity: float) -> Any:
    return SpotLegs(np.array([0]), np.array([0]), np.array([quantity]))


def _option(**changes: Any) -> OptionLegs:
    legs = options([(0, 0, 1.0, 60_000.0, 0.1, 0.6, True)])
    return legs.with_columns(**{name: np.array([value]) for name, value in changes.items()})


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Accounts.of(np.array([math.nan])), "cash[0]"),
        (lambda: Accounts.of(np.zeros((1, 1))), "cash"),
        (lambda: Accounts.of(np.zeros(1), _option(years=0.0)), "options.years[0]"),
        (lambda: Accounts.of(np.zeros(1), _option(years=-0.1)), "options.years[0]"),
        (lambda: Accounts.of(np.zeros(1), _option(volatility=math.nan)), "options.volatility[0]"),
        (lambda: Accounts.of(np.zeros(1), _option(volatility=-0.5)), "options.volatility[0]"),
        (lambda: Accounts.of(np.zeros(1), _option(strike=-1.0)), "options.strike[0]"),
        (lambda: Accounts.of(np.zeros(1), _option(quantity=math.inf)), "options.quantity[0]"),
        (lambda: Accounts.of(np.zeros(1), _option(account=3)), "options.account"),
        (lambda: Accounts.of(np.zeros(1), perps=perps([(0, 0, 1.0, -5.0)])), "perps.entry[0]"),
        (
            lambda: Accounts.of(
                np.zeros(1), collateral=CollateralLegs(np.array([0]), np.array([0]), np.array([-1.0]))
            ),
            "collateral.quantity[0]",
        ),
        (
            lambda: evaluate(Accounts.of(np.zeros(1), _option(underlying=7)), MARKET, parameters()),
            "options.underlying[0]",
        ),
        (lambda: MarketData(("BTC",), np.array([-1.0])), "market.spot[0]"),
        (lambda: MarketData(("BTC", "BTC"), np.array([1.0, 1.0])), "market.names"),
        (lambda: MarketData(("BTC",), np.array([1.0, 2.0])), "market.spot"),
        (lambda: MARKET.index("DOGE"), "underlying"),
        (
            lambda: evaluate(Accounts.of(np.zeros(1)), MarketData(("BTC",), np.array([1.0])), parameters()),
            "dprm.price_range",
        ),
        (lambda: parameters(provenance=Provenance("", date(2024, 1, 1), "")), "dprm.provenance"),
        (lambda: parameters(price_range=np.array([1.2, 0.1])), "dprm.price_range"),
        (lambda: parameters(haircut=np.array([0.1])), "dprm.haircut"),
        (lambda: parameters(grid=standard_grid(5, {-8.0: 0.1})), "dprm.grid"),
        (lambda: parameters(correlation=-np.eye(2)), "dprm.correlation"),
        (lambda: parameters(initial_factor=0.5), "dprm.initial_factor"),
        (lambda: parameters(basis_rate=math.nan), "dprm.basis_rate"),
        (lambda: depths(vega_depth=np.array([0.0, 1.0])), "concentration.vega_depth"),
        (lambda: stresses(("BTC",), [Stress("x", {"DOGE": -0.1})]), "stress[x].moves"),
        (lambda: historical(["d"], [[-1.0, 0.0]]), "joint.price[0, 0]"),
    ],
)
def test_bad_input_names_its_field(make: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        make()
    assert caught.value.field == field
