"""The engine: equity and requirement of every account of a book, from its worst scenarios and the charges."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np

from keeper.errors import MarginError
from keeper.margin.interface import Array, Requirement
from keeper.margin.portfolio.accounts import Accounts, Index
from keeper.margin.portfolio.contingencies import basis, concentration, haircuts, short_options
from keeper.margin.portfolio.exposures import exposures
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import DprmParameters
from keeper.margin.portfolio.valuation import (
    by_group,
    linear_exposure,
    option_profits,
    option_values,
    price_factors,
)

# Option legs evaluated at once: few enough for a small footprint, enough for threads to work side by side.
_LEGS_A_PART = 16_384


@dataclass(frozen=True, slots=True)
class Valuation:
    """Equity and requirement of every account, in the settlement unit; the first axis is the accounts.

    `grid_loss` and `grid_scenario` (accounts, underlyings): worst grid loss (≥ 0) of each underlying and its
    index. `joint_loss` and `joint_scenario` (accounts,): the same over the joint scenarios (index −1 where
    there are none). `worst_loss` is the larger of √(w'Rw) over the grid losses and the joint loss. The
    charges have shape (accounts,), `concentration` (accounts, 3) for delta, gamma and vega.
    `haircut_value` is what haircuts take off the collateral.
    """

    equity: Array
    initial: Array
    maintenance: Array
    worst_loss: Array
    grid_loss: Array
    grid_scenario: Index
    joint_loss: Array
    joint_scenario: Index
    short_options: Array
    basis: Array
    concentration: Array
    haircut_value: Array

    @property
    def health(self) -> Array:
        """Equity over maintenance margin, +inf where nothing is required."""
        return np.asarray(Requirement(self.initial, self.maintenance, self.equity).health)


@dataclass(frozen=True, slots=True)
class ScenarioLosses:
    """Weighted losses: `grid` (accounts, underlyings, scenarios), `joint` (accounts, scenarios)."""

    grid: Array
    joint: Array


def evaluate(accounts: Accounts, market: MarketData, p: DprmParameters, *, workers: int = 1) -> Valuation:
    """Equity and requirements of every account.

    The book is valued in parts, on `workers` threads (the arithmetic releases the interpreter lock). Raises
    `MarginError` where a leg's underlying is unlisted or parameters and market do not match.
    """
    _check(accounts, market, p)
    spans = list(_parts(accounts))
    if workers <= 1 or len(spans) == 1:
        done = [_evaluate_part(accounts.part(*s), market.part(*s), p) for s in spans]
    else:
        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(lambda s: _evaluate_part(accounts.part(*s), market.part(*s), p), spans))
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in done]) for f in fields(Valuation)}
    return Valuation(**columns)


def scenario_losses(accounts: Accounts, market: MarketData, p: DprmParameters) -> ScenarioLosses:
    """Weighted loss of every account under every scenario (negative: profit); `MarginError` as `evaluate`."""
    _check(accounts, market, p)
    return _losses(accounts, market, p)


@dataclass(frozen=True, slots=True)
class PortfolioMargin:
    """DPRM as a margin model: `positions` is a book of accounts; arrays with one element per account."""

    name: str = "dprm"
    version: str = "1"

    def requirement(self, positions: Accounts, market: MarketData, parameters: DprmParameters) -> Requirement:
        """Requirement of every account, with the parts that explain it."""
        v = evaluate(positions, market, parameters)
        return Requirement(
            initial=v.initial,
            maintenance=v.maintenance,
            equity=v.equity,
            parts={
                "worst_loss": v.worst_loss,
                "joint_loss": v.joint_loss,
                "short_options": v.short_options,
                "basis": v.basis,
                "concentration": v.concentration.sum(axis=1),
                "haircut_value": v.haircut_value,
            },
        )


def _evaluate_part(accounts: Accounts, market: MarketData, p: DprmParameters) -> Valuation:
    losses = _losses(accounts, market, p)
    count, underlyings = len(accounts), len(market.names)
    grid_scenario = losses.grid.argmax(axis=2)
    grid_loss = np.maximum(losses.grid.max(axis=2), 0.0)
    combined = np.sqrt(np.maximum(np.einsum("au,uv,av->a", grid_loss, p.offsets, grid_loss), 0.0))
    if losses.joint.shape[1]:
        joint_scenario = losses.joint.argmax(axis=1)
        joint_loss = np.maximum(losses.joint.max(axis=1), 0.0)
    else:
        joint_scenario, joint_loss = np.full(count, -1, dtype=np.int64), np.zeros(count)
    worst = np.maximum(combined, joint_loss)
    charges = np.zeros((count, 3))
    held = None
    if p.concentration is not None:
        held = exposures(accounts, market)
        by_greek = concentration(held, p.concentration)
        charges = np.stack([g.sum(axis=1) for g in (by_greek.delta, by_greek.gamma, by_greek.vega)], axis=1)
    shorts, roll = short_options(accounts, market, p), basis(accounts, market, p)
    contingency = shorts + roll + charges.sum(axis=1)
    collateral = accounts.collateral
    value = collateral.quantity * market.of(collateral.account, collateral.underlying)
    cut = value * haircuts(collateral, held, p)
    kept = by_group(collateral.account, count, value - cut)
    return Valuation(
        equity=accounts.cash + kept + _mark_to_market(accounts, market),
        initial=p.initial_factor * worst + contingency,
        maintenance=p.maintenance_factor * worst + contingency,
        worst_loss=worst,
        grid_loss=np.reshape(grid_loss, (count, underlyings)),
        grid_scenario=grid_scenario,
        joint_loss=joint_loss,
        joint_scenario=joint_scenario,
        short_options=shorts,
        basis=roll,
        concentration=charges,
        haircut_value=by_group(collateral.account, count, cut),
    )


def _mark_to_market(accounts: Accounts, market: MarketData) -> Array:
    """Spot value, perp profit and option value, shape (accounts,)."""
    perps, spot, options = accounts.perps, accounts.spot, accounts.options
    total = np.zeros(len(accounts))
    np.add.at(total, spot.account, spot.quantity * market.of(spot.account, spot.underlying))
    profit = perps.quantity * (market.of(perps.account, perps.underlying) - perps.entry)
    np.add.at(total, perps.account, profit)
    if len(options):
        np.add.at(total, options.account, option_values(options, market))
    return total


def _losses(accounts: Accounts, market: MarketData, p: DprmParameters) -> ScenarioLosses:
    count, underlyings, in_grid = len(accounts), len(market.names), len(p.grid)
    profits = linear_exposure(accounts, market)[:, :, np.newaxis] * (price_factors(p) - 1.0)
    options = accounts.options
    if len(options):
        group = options.account * underlyings + options.underlying
        by_leg = option_profits(options, market, p)
        profits += by_group(group, count * underlyings, by_leg).reshape(profits.shape)
    grid = -profits[:, :, :in_grid] * p.grid.weight
    joint = -profits[:, :, in_grid:].sum(axis=1) * p.joint_scenarios.weight
    return ScenarioLosses(grid, joint)


def _parts(accounts: Accounts) -> Iterator[tuple[int, int]]:
    """Runs of whole accounts with about `_LEGS_A_PART` option legs each; one empty run for an empty book."""
    count = len(accounts)
    parts = max(1, min(count, -(-len(accounts.options) // _LEGS_A_PART)))
    edges = np.linspace(0, count, parts + 1).astype(int)
    yield from ((int(low), int(high)) for low, high in itertools.pairwise(edges))


def _check(accounts: Accounts, market: MarketData, p: DprmParameters) -> None:
    market.check(accounts)
    if p.underlyings != len(market.names):
        raise MarginError(
            f"parameters cover {p.underlyings} underlyings, the market lists {len(market.names)}",
            field="dprm.price_range",
            remedy="Give the parameters of each listed underlying",
        )
