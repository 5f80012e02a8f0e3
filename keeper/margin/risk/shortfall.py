"""Margin as Expected Shortfall over the liquidation period, by any of the library's methods.

Initial margin is the shortfall at `level`, maintenance at `maintenance_level`, of linear exposures over
`days` days. All accounts of a call share the scenarios, so that they can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, natural, within
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.risk import delta_gamma, normal, simulation
from keeper.margin.risk.tail import check_level
from keeper.margin.risk.volatility import RISKMETRICS_LAMBDA, ewma_covariance

CONVENTION = Provenance("1", date(2026, 1, 1), "keeper.margin.risk.tail: mean of the worst share 1 − level")


class Method(Enum):
    """Where the loss distribution comes from."""

    HISTORICAL = "historical"
    FILTERED_HISTORICAL = "filtered-historical"
    DELTA_NORMAL = "delta-normal"
    CORNISH_FISHER = "cornish-fisher"
    MONTE_CARLO = "monte-carlo"


# Ten years of days, and what a machine's memory still holds.
LONGEST_DAYS = 3650
MOST_PATHS = 10**7


@dataclass(frozen=True, slots=True)
class ShortfallTerms:
    """Method, levels, horizon in `days`, and `decay` of every EWMA.

    `paths` and `seed` are for Monte Carlo and filtered historical simulation; with 0 paths, filtered
    simulation over one day takes each past day once, all else 100,000 paths. `degrees_of_freedom`: Student's
    t in place of normal returns, Monte Carlo only.
    """

    method: Method = Method.FILTERED_HISTORICAL
    level: float = 0.99
    maintenance_level: float = 0.975
    days: int = 1
    decay: float = RISKMETRICS_LAMBDA
    paths: int = 0
    seed: int = 0
    degrees_of_freedom: float | None = None
    provenance: Provenance = CONVENTION

    def __post_init__(self) -> None:
        if not isinstance(self.method, Method):
            known = ", ".join(each.value for each in Method)
            raise MarginError(f"{self.method!r} is no method", field="method", remedy=f"Known: {known}.")
        check_level(self.level)
        if check_level(self.maintenance_level, "maintenance_level") > self.level:
            raise MarginError("exceeds level", field="maintenance_level")
        within(natural(self.days, "days"), 1, LONGEST_DAYS, "days")
        within(natural(self.paths, "paths"), 0, MOST_PATHS, "paths")
        natural(self.seed, "seed")
        if not 0 < self.decay < 1:
            raise MarginError(f"is {self.decay}, must lie between 0 and 1", field="decay")


@dataclass(frozen=True, slots=True)
class Exposures:
    """`linear` exposures in money per unit of return, (accounts, assets) or (assets,); `equity` per account.

    `gamma` (assets, assets) is one portfolio's second derivative and needs Cornish-Fisher.
    """

    linear: ArrayLike
    equity: ArrayLike
    gamma: ArrayLike | None = None


@dataclass(frozen=True, slots=True)
class ReturnHistory:
    """Daily `returns` (days, assets), oldest first, or a daily `covariance` (assets, assets) where the method
    needs no more."""

    returns: ArrayLike | None = None
    covariance: ArrayLike | None = None

    def days(self) -> Array:
        """The daily returns; MarginError where there are none."""
        if self.returns is None:
            raise MarginError("this method needs the daily returns", field="returns")
        return finite(self.returns, "returns")

    def day_covariance(self, decay: float) -> Array:
        """The given covariance, else the exponentially weighted covariance of the returns."""
        if self.covariance is not None:
            return finite(self.covariance, "covariance")
        return ewma_covariance(self.days(), decay)


@dataclass(frozen=True, slots=True)
class ExpectedShortfallMargin:
    """Expected Shortfall as a margin model; arrays with one element per account."""

    name: str = "expected-shortfall"
    version: str = "1"

    def requirement(
        self, positions: Exposures, market: ReturnHistory, parameters: ShortfallTerms
    ) -> Requirement:
        """Shortfall at both levels, not below zero; `parts` has VaR (initial level) and gross exposure."""
        held, equity = finite(positions.linear, "exposures"), finite(positions.equity, "equity")
        if held.ndim not in {1, 2} or equity.shape != held.shape[:-1]:
            raise MarginError(f"has shape {equity.shape}, exposures {held.shape}", field="equity")
        if positions.gamma is not None and parameters.method is not Method.CORNISH_FISHER:
            raise MarginError("only Cornish-Fisher counts it", field="gamma", remedy="Choose that method.")
        initial, maintenance, var = _figures(held, positions.gamma, market, parameters)
        return Requirement(
            initial=_plain(np.maximum(initial, 0.0)),
            maintenance=_plain(np.maximum(maintenance, 0.0)),
            equity=_plain(equity),
            parts={"var": _plain(var), "gross": _plain(np.abs(held).sum(axis=-1))},
        )


def _plain(values: Array) -> float | Array:
    return float(values) if values.ndim == 0 else values


def _figures(
    held: Array, gamma: ArrayLike | None, market: ReturnHistory, p: ShortfallTerms
) -> tuple[Array, Array, Array]:
    """(shortfall at level, shortfall at maintenance level, VaR at level) per account, without floor at 0."""
    levels = (p.level, p.maintenance_level)
    if p.method is Method.DELTA_NORMAL:
        covariance = market.day_covariance(p.decay)
        one, two = (normal.delta_normal_es(held, covariance, each, p.days) for each in levels)
        return one, two, normal.delta_normal_var(held, covariance, p.level, p.days)
    if p.method is Method.CORNISH_FISHER:
        if held.ndim != 1:
            raise MarginError("Cornish-Fisher takes one portfolio at a time", field="exposures")
        curved = np.zeros((held.shape[0],) * 2) if gamma is None else gamma
        moments = delta_gamma.loss_moments(held, curved, market.day_covariance(p.decay), p.days)
        one, two = (np.asarray(delta_gamma.cornish_fisher_es(moments, each)) for each in levels)
        return one, two, np.asarray(delta_gamma.cornish_fisher_var(moments, p.level))
    return simulation.tail_figures(held, _shocks(market, p), levels)


DEFAULT_PATHS = 100_000


def _shocks(market: ReturnHistory, p: ShortfallTerms) -> Array:
    if p.method is Method.MONTE_CARLO:
        return simulation.monte_carlo_shocks(
            market.day_covariance(p.decay), p.paths or DEFAULT_PATHS, p.days, p.seed, p.degrees_of_freedom
        )
    if p.method is Method.HISTORICAL:
        return simulation.historical_shocks(market.days(), p.days)
    paths = p.paths or (None if p.days == 1 else DEFAULT_PATHS)
    return simulation.filtered_shocks(market.days(), p.days, paths, p.seed, p.decay)
