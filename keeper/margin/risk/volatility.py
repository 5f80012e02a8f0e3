"""Volatility from returns: exponentially weighted, and over a long run. Arrays (days, …), oldest first.

EWMA: σ²_t = λ·σ²_{t−1} + (1 − λ)·r²_{t−1}: an estimate *for* day t from days before it.
Source: RiskMetrics (1996), λ = 0.94 for daily returns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite
from keeper.margin.interface import Array

RISKMETRICS_LAMBDA = 0.94


def _checked(returns: ArrayLike, decay: float) -> Array:
    values = finite(returns, "returns")
    if values.ndim == 0 or values.shape[0] < 2:
        raise MarginError("needs at least two days", field="returns")
    _decay(decay)
    return values


def _decay(decay: float) -> float:
    if not 0 < decay < 1:
        raise MarginError(f"is {decay}, must lie between 0 and 1", field="decay")
    return decay


def _variance(variance: ArrayLike, field: str) -> Array:
    values = finite(variance, field)
    if (values < 0).any():
        raise MarginError("must not be negative", field=field)
    return values


def ewma_update(variance: ArrayLike, last_return: ArrayLike, decay: float = RISKMETRICS_LAMBDA) -> Array:
    """Tomorrow's variance from today's estimate and today's return."""
    moved, before = finite(last_return, "last_return"), _variance(variance, "variance")
    return np.asarray(_decay(decay) * before + (1 - decay) * moved**2, dtype=np.float64)


def ewma_variances(
    returns: ArrayLike, decay: float = RISKMETRICS_LAMBDA, initial: ArrayLike | None = None
) -> Array:
    """Variance for each day and for the day after the last: shape (days + 1, …).

    The first is `initial`, by default the mean square of the first thirty days, for which it is then not out
    of sample.
    """
    values = _checked(returns, decay)
    squares = values**2
    variances = np.empty((values.shape[0] + 1, *values.shape[1:]))
    variances[0] = squares[:30].mean(axis=0) if initial is None else _variance(initial, "initial")
    added = (1 - decay) * squares
    for day in range(values.shape[0]):
        variances[day + 1] = decay * variances[day] + added[day]
    return variances


def ewma_covariance(returns: ArrayLike, decay: float = RISKMETRICS_LAMBDA) -> Array:
    """Covariance for the day after the last: shape (days, assets) to (assets, assets); weights sum to one."""
    values = _checked(returns, decay)
    if values.ndim != 2:
        raise MarginError("must be days × assets", field="returns")
    weights = decay ** np.arange(values.shape[0] - 1, -1, -1, dtype=np.float64)
    weights /= weights.sum()
    return np.asarray((values * weights[:, None]).T @ values, dtype=np.float64)


def long_run_sigmas(returns: ArrayLike, window: int = 2520) -> Array:
    """Root mean square of all days before each day, at most `window` of them: shape (days + 1, …).

    The first thirty days all use the mean of the first thirty.
    """
    values = _checked(returns, 0.5)
    totals = np.concatenate((np.zeros((1, *values.shape[1:])), np.cumsum(values**2, axis=0)))
    days = np.arange(values.shape[0] + 1)
    ends = np.maximum(days, min(30, values.shape[0]))
    starts = np.maximum(ends - window, 0)
    counts = (ends - starts).reshape((-1,) + (1,) * (values.ndim - 1))
    return np.asarray(np.sqrt((totals[ends] - totals[starts]) / counts), dtype=np.float64)
