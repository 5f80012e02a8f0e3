"""Explanations add up to the number they explain."""

from __future__ import annotations

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.engine import evaluate, scenario_losses
from keeper.margin.portfolio.explain import explain, ranked_scenarios
from keeper.margin.portfolio.scenarios import Stress, stresses
from tests.unit.margin.portfolio.books import MARKET, depths, options, parameters, perps, random_book

pytestmark = pytest.mark.unit

CRASH = stresses(MARKET.names, [Stress("crash", {"BTC": -0.9, "ETH": -0.9}, volatility=3.0)])


@pytest.mark.parametrize("account", range(8))
def test_legs_and_greeks_sum_to_the_driving_losses(account: int) -> None:
    book, p = random_book(11, 8), parameters(concentration=depths(), correlation=np.eye(2))
    why, v = explain(book, account, MARKET, p), evaluate(book, MARKET, p)
    assert why.initial == pytest.approx(v.initial[account])
    assert why.worst_loss == pytest.approx(v.worst_loss[account])
    driven = {scenario.underlying: scenario.loss for scenario in why.scenarios}
    assert sum(driven.values()) == pytest.approx(why.worst_loss + why.offset)
    for name, loss in driven.items():
        assert sum(leg.loss for leg in why.legs if leg.underlying == name) == pytest.approx(loss)
    for leg in why.legs:
        assert leg.delta + leg.gamma + leg.vega + leg.residual == pytest.approx(leg.loss)
    assert why.offset >= 0
    assert why.hedges >= -1e-6
    charges = sum(amount for name, amount in why.charges.items() if name != "haircut")
    assert p.initial_factor * why.worst_loss + charges == pytest.approx(why.initial)
    losses = [leg.loss for leg in why.legs]
    assert losses == sorted(losses, reverse=True)


def test_a_joint_scenario_that_drives_is_named() -> None:
    book, p = random_book(12, 30), parameters(joint=CRASH)
    v = evaluate(book, MARKET, p)
    account = int(np.argmax(v.joint_loss - v.grid_loss.sum(axis=1)))
    why = explain(book, account, MARKET, p)
    assert {scenario.name for scenario in why.scenarios} == {"crash"}
    assert sum(leg.loss for leg in why.legs) == pytest.approx(why.worst_loss)
    assert why.offset == 0


def test_scenarios_are_ranked_by_what_they_cost() -> None:
    book, p = random_book(13, 3), parameters(joint=CRASH)
    rows = ranked_scenarios(book, 1, MARKET, p, count=1_000)
    assert len(rows) == 2 * len(p.grid) + 1
    assert [row.loss for row in rows] == sorted((row.loss for row in rows), reverse=True)
    losses = scenario_losses(book, MARKET, p)
    assert rows[0].loss == pytest.approx(max(losses.grid[1].max(), losses.joint[1].max()))
    worst_btc = max((row for row in rows if row.underlying == "BTC"), key=lambda row: row.loss)
    assert worst_btc.loss == pytest.approx(losses.grid[1, 0].max())
    assert len(ranked_scenarios(book, 1, MARKET, p)) == 10


def test_second_order_greeks_explain_a_small_shock() -> None:
    book = Accounts.of(np.zeros(1), options([(0, 0, -1.0, 60_000.0, 0.25, 0.6, True)]))
    p = parameters(price_range=np.array([0.01, 0.01]))
    leg = explain(book, 0, MARKET, p).legs[0]
    assert abs(leg.residual) < 0.05 * leg.loss


def test_a_perp_is_explained_by_delta_alone() -> None:
    book = Accounts.of(np.zeros(1), perps=perps([(0, 1, 3.0, 3_000.0)]))
    why = explain(book, 0, MARKET, parameters())
    assert why.scenarios[0].price_move == pytest.approx(-0.2)
    assert why.legs[0].delta == why.legs[0].loss == pytest.approx(1_800.0)
    assert why.hedges == pytest.approx(0.0)


def test_an_account_that_does_not_exist_is_refused() -> None:
    with pytest.raises(MarginError) as caught:
        explain(random_book(1, 2), 2, MARKET, parameters())
    assert caught.value.field == "account"
