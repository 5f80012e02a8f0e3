"""Loss scenarios: historical, filtered historical and Monte Carlo. Losses positive, (accounts, scenarios).

Exposures are money per unit of return, (accounts, assets) or (assets,); returns (days, assets), oldest first.
The horizon is the liquidation period in days: the loss that accrues until a position is closed.
Sources: Hull (historical simulation); Barone-Adesi, Giannopoulos, Vosper (1999) (filtered).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite
from keeper.margin.interface import Array
from keeper.margin.risk.normal import covariance_matrix
from keeper.margin.risk.tail import expected_shortfall, value_at_risk
from keeper.margin.risk.volatility import RISKMETRICS_LAMBDA, ewma_variances

BLOCK = 32


def losses_of(exposures: ArrayLike, shocks: ArrayLike) -> Array:
    """−exposures·shocks: (accounts, assets) × (scenarios, assets) to (accounts, scenarios)."""
    held, moved = finite(exposures, "exposures"), finite(shocks, "shocks")
    if moved.ndim != 2 or held.shape[-1] != moved.shape[1]:
        raise MarginError(
            f"{held.shape[-1]} exposures against shocks of shape {moved.shape}", field="exposures"
        )
    return np.asarray(-(held @ moved.T), dtype=np.float64)


def _days(horizon: int) -> int:
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise MarginError(f"is {horizon!r}, must be a whole number of days from 1", field="horizon")
    return horizon


def historical_shocks(returns: ArrayLike, horizon: int = 1) -> Array:
    """Overlapping sums over `horizon` days: (days, assets) to (days − horizon + 1, assets)."""
    values, days = finite(returns, "returns"), _days(horizon)
    if values.ndim != 2 or values.shape[0] < days:
        raise MarginError("must be days × assets with at least `horizon` days", field="returns")
    totals = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)))
    return np.asarray(totals[days:] - totals[:-days], dtype=np.float64)


def standardised(returns: ArrayLike, decay: float = RISKMETRICS_LAMBDA) -> tuple[Array, Array]:
    """(returns over their own day's EWMA volatility, variance of the day after the last).

    MarginError where an asset never moves.
    """
    variances = ewma_variances(returns, decay)
    if (variances <= 0).any():
        raise MarginError("an asset never moves: its volatility is zero", field="returns")
    return finite(returns, "returns") / np.sqrt(variances[:-1]), variances[-1]


def filtered_shocks(
    returns: ArrayLike,
    horizon: int = 1,
    paths: int | None = None,
    seed: int = 0,
    decay: float = RISKMETRICS_LAMBDA,
) -> Array:
    """Past standardised days replayed at today's volatility, the assets of a day kept together.

    With `paths` None and a horizon of one day, each past day is a scenario: (days, assets). Otherwise days
    are drawn at random and volatility follows each path's own returns: (paths, assets); a longer horizon
    needs `paths`.
    """
    innovations, tomorrow = standardised(returns, decay)
    days = _days(horizon)
    if days == 1 and paths is None:
        return np.asarray(innovations * np.sqrt(tomorrow), dtype=np.float64)
    if paths is None or paths < 1:
        raise MarginError("a horizon beyond one day needs a number of paths", field="paths")
    generator = np.random.default_rng(seed)
    variance = np.broadcast_to(tomorrow, (paths, innovations.shape[1])).copy()
    moved = np.zeros_like(variance)
    for _ in range(days):
        drawn = innovations[generator.integers(0, innovations.shape[0], paths)] * np.sqrt(variance)
        moved += drawn
        variance = decay * variance + (1 - decay) * drawn**2
    return moved


def monte_carlo_shocks(
    covariance: ArrayLike,
    paths: int,
    horizon: float = 1.0,
    seed: int = 0,
    degrees_of_freedom: float | None = None,
) -> Array:
    """Normal shocks with covariance·horizon, (paths, assets); with `degrees_of_freedom` (> 2) Student's t.

    Student's t has the same covariance. Singular covariances are accepted.
    """
    size = np.shape(covariance)[0] if np.ndim(covariance) == 2 else 0
    matrix = covariance_matrix(covariance, size)
    if paths < 1:
        raise MarginError("must be at least one", field="paths")
    if not horizon > 0:
        raise MarginError("must be above zero", field="horizon")
    values, vectors = np.linalg.eigh(matrix * horizon)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    generator = np.random.default_rng(seed)
    shocks = generator.standard_normal((paths, size)) @ root.T
    if degrees_of_freedom is not None:
        if not degrees_of_freedom > 2:
            raise MarginError("must be above 2 for a finite variance", field="degrees_of_freedom")
        mixing = generator.chisquare(degrees_of_freedom, paths) / (degrees_of_freedom - 2)
        shocks /= np.sqrt(mixing)[:, None]
    return np.asarray(shocks, dtype=np.float64)


def quadratic_losses(delta: ArrayLike, gamma: ArrayLike, shocks: ArrayLike) -> Array:
    """−(δ′x + ½x′Γx) of one portfolio, (scenarios,): `delta` (assets,), `gamma` (assets, assets)."""
    d, g, x = finite(delta, "delta"), finite(gamma, "gamma"), finite(shocks, "shocks")
    return np.asarray(-(x @ d + 0.5 * ((x @ g) * x).sum(axis=1)), dtype=np.float64)


def tail_figures(
    exposures: ArrayLike, shocks: ArrayLike, levels: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """(ES at the first level, ES at the second, VaR at the first) of each account, in blocks.

    Exposures (assets,) give 0-d results, (accounts, assets) one element per account.
    """
    held, moved = finite(exposures, "exposures"), finite(shocks, "shocks")
    rows = np.atleast_2d(held)
    found = np.empty((3, rows.shape[0]))
    for start in range(0, rows.shape[0], BLOCK):
        part = slice(start, start + BLOCK)
        losses = losses_of(rows[part], moved)
        found[0, part] = expected_shortfall(losses, levels[0])
        found[1, part] = expected_shortfall(losses, levels[1])
        found[2, part] = value_at_risk(losses, levels[0])
    one, two, var = found.reshape(3, *held.shape[:-1])
    return one, two, var


def expected_shortfalls(exposures: ArrayLike, shocks: ArrayLike, level: float) -> Array:
    """ES of each account, (accounts, assets) to (accounts,), in blocks that fit the processor's cache."""
    held, moved = finite(exposures, "exposures"), finite(shocks, "shocks")
    if held.ndim != 2:
        raise MarginError("must be accounts × assets", field="exposures")
    found = np.empty(held.shape[0])
    for start in range(0, held.shape[0], BLOCK):
        part = slice(start, start + BLOCK)
        found[part] = expected_shortfall(losses_of(held[part], moved), level)
    return found
