"""What drives an account's requirement: its worst scenario, leg by leg and Greek by Greek."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.portfolio.accounts import Accounts, OptionLegs
from keeper.margin.portfolio.engine import evaluate, scenario_losses
from keeper.margin.portfolio.exposures import PERCENT, option_greeks
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import DprmParameters
from keeper.margin.portfolio.valuation import option_profits, price_factors, volatility_factors


@dataclass(frozen=True, slots=True)
class LegLoss:
    """One leg's part of the worst loss: `table` and `row` of the leg, `loss` < 0 where it hedges.

    `delta`, `gamma` and `vega` are the losses by Greek to second order, `residual` the rest of `loss`.
    """

    table: str
    row: int
    underlying: str
    loss: float
    delta: float
    gamma: float
    vega: float
    residual: float


@dataclass(frozen=True, slots=True)
class DrivingScenario:
    """A scenario of an underlying: its name (of a grid scenario: how volatility moves), relative price move,
    weight, and weighted loss."""

    name: str
    underlying: str
    price_move: float
    weight: float
    loss: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """One account's requirement and its causes, in the settlement unit.

    `scenarios` are the worst grid scenario of each underlying that loses, or the one joint scenario where
    that is worse; `legs` split exactly those losses and are sorted by loss. `offset` is what netting the
    underlyings saves against adding their worst losses; `hedges` what netting the legs saves against each
    leg's own worst loss. `charges` by name.
    """

    equity: float
    initial: float
    maintenance: float
    worst_loss: float
    offset: float
    hedges: float
    scenarios: tuple[DrivingScenario, ...]
    legs: tuple[LegLoss, ...]
    charges: MappingProxyType[str, float]


def explain(accounts: Accounts, account: int, market: MarketData, p: DprmParameters) -> Explanation:
    """The explanation of one account of a book; `MarginError` where it does not exist."""
    one = accounts.one(account)
    own_market = market if market.spot.ndim == 1 else market.part(account, account + 1)
    v = evaluate(one, own_market, p)
    in_grid = len(p.grid)
    joint_drives = bool(v.joint_loss[0] >= v.worst_loss[0]) and v.joint_loss[0] > 0
    # which column of (grid + joint) drives each underlying
    columns = v.grid_scenario[0].copy()
    if joint_drives:
        columns = np.full(len(market.names), in_grid + int(v.joint_scenario[0]))
    weights = np.concatenate([p.grid.weight, p.joint_scenarios.weight])
    legs = _leg_losses(one, own_market, p, columns, weights)
    summed = v.joint_loss[0] if joint_drives else v.grid_loss[0].sum()
    return Explanation(
        equity=float(v.equity[0]),
        initial=float(v.initial[0]),
        maintenance=float(v.maintenance[0]),
        worst_loss=float(v.worst_loss[0]),
        offset=float(summed - v.worst_loss[0]),
        hedges=float(_alone(one, own_market, p) - summed),
        scenarios=_driving(one, own_market, p, columns, joint_drives=joint_drives),
        legs=tuple(sorted(legs, key=lambda leg: -leg.loss)),
        charges=MappingProxyType(
            {
                "short options": float(v.short_options[0]),
                "basis": float(v.basis[0]),
                "delta concentration": float(v.concentration[0, 0]),
                "gamma concentration": float(v.concentration[0, 1]),
                "vega concentration": float(v.concentration[0, 2]),
                "haircut": float(v.haircut_value[0]),
            }
        ),
    )


def _leg_losses(
    one: Accounts, market: MarketData, p: DprmParameters, columns: Array, weights: Array
) -> list[LegLoss]:
    factors = price_factors(p)
    found = []
    for table, legs in (("perps", one.perps), ("spot", one.spot)):
        value = legs.quantity * market.of(legs.account, legs.underlying)
        for row, u in enumerate(legs.underlying):
            loss = -float(value[row] * (factors[u, columns[u]] - 1.0) * weights[columns[u]])
            found.append(LegLoss(table, row, market.names[u], loss, loss, 0.0, 0.0, 0.0))
    return found + (_option_losses(one.options, market, p, columns, weights) if len(one.options) else [])


def _option_losses(
    options: OptionLegs, market: MarketData, p: DprmParameters, columns: Array, weights: Array
) -> list[LegLoss]:
    rows = np.arange(len(options))
    column = columns[options.underlying]
    weight = weights[column]
    loss = -option_profits(options, market, p)[rows, column] * weight
    got = option_greeks(options, market)
    move = price_factors(p)[options.underlying, column] - 1.0
    points = options.volatility * (volatility_factors(options, p)[rows, column] - 1.0) / PERCENT
    delta = -got.delta * move * weight
    gamma = -0.5 * got.gamma / PERCENT * move * move * weight
    vega = -got.vega * points * weight
    residual = loss - delta - gamma - vega
    return [
        LegLoss(
            "options",
            row,
            market.names[options.underlying[row]],
            *(float(part[row]) for part in (loss, delta, gamma, vega, residual)),
        )
        for row in range(len(options))
    ]


def ranked_scenarios(
    accounts: Accounts, account: int, market: MarketData, p: DprmParameters, count: int = 10
) -> tuple[DrivingScenario, ...]:
    """The `count` scenarios with an account's largest losses, worst first: grid (by underlying) and joint.

    A joint scenario moves every underlying: its `underlying` is empty and its `price_move` NaN.
    """
    one = accounts.one(account)
    losses = scenario_losses(one, market if market.spot.ndim == 1 else market.part(account, account + 1), p)
    in_grid = len(p.grid)
    rows = [
        _grid_scenario(p, market, u, at, float(losses.grid[0, u, at]))
        for u in range(len(market.names))
        for at in range(in_grid)
    ]
    joint = p.joint_scenarios
    rows += [
        DrivingScenario(name, "", math.nan, float(joint.weight[at]), float(losses.joint[0, at]))
        for at, name in enumerate(joint.names)
    ]
    return tuple(sorted(rows, key=lambda row: -row.loss)[:count])


def _grid_scenario(p: DprmParameters, market: MarketData, u: int, at: int, loss: float) -> DrivingScenario:
    step = float(p.grid.volatility[at])
    name = "volatility " + ("up" if step > 0 else "down" if step < 0 else "same")
    move = float(p.price_range[u] * p.grid.price[at])
    return DrivingScenario(name, market.names[u], move, float(p.grid.weight[at]), loss)


def _driving(
    one: Accounts, market: MarketData, p: DprmParameters, columns: Array, *, joint_drives: bool
) -> tuple[DrivingScenario, ...]:
    losses = scenario_losses(one, market, p)
    if joint_drives:
        joint = p.joint_scenarios
        at = int(columns[0]) - len(p.grid)
        weight, loss = float(joint.weight[at]), float(losses.joint[0, at])
        return tuple(
            DrivingScenario(joint.names[at], name, float(joint.price[at, u] - 1.0), weight, loss)
            for u, name in enumerate(market.names)
        )
    found = (
        _grid_scenario(p, market, u, int(at), float(losses.grid[0, u, int(at)]))
        for u, at in enumerate(columns)
    )
    return tuple(scenario for scenario in found if scenario.loss > 0)


def _alone(one: Accounts, market: MarketData, p: DprmParameters) -> float:
    """Sum of every leg's own worst loss."""
    weights = np.concatenate([p.grid.weight, p.joint_scenarios.weight])
    total = 0.0
    factors = price_factors(p)
    for legs in (one.perps, one.spot):
        value = legs.quantity * market.of(legs.account, legs.underlying)
        losses = -value[:, np.newaxis] * (factors[legs.underlying] - 1.0) * weights
        total += float(np.maximum(losses.max(axis=1, initial=0.0), 0.0).sum())
    if len(one.options):
        losses = -option_profits(one.options, market, p) * weights
        total += float(np.maximum(losses.max(axis=1), 0.0).sum())
    return total
