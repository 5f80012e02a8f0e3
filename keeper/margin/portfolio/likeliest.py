"""The likeliest failing move: the one of least Mahalanobis distance under a covariance of log moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.distance import Level, first_failures
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.market import MarketData, covariance_checked
from keeper.margin.portfolio.parameters import DprmParameters

_DIRECTIONS = 32
_STEPS = 150
# Refinement: trials around the best direction, each walked only as far as the best failure yet.
_ROUNDS = 14
_TRIALS = 12
_TRIAL_STEPS = 32
# Width of the differences that give the surface's normal, in standard deviations.
_DIFFERENCE = 1e-4
_SEED = 20_240_601


@dataclass(frozen=True, slots=True)
class LikeliestMove:
    """`distance` in standard deviations (+inf: none within reach), `factors` (underlyings,) of the prices."""

    level: Level
    distance: float
    factors: Array | None


def likeliest_failure(
    accounts: Accounts, account: int, market: MarketData, p: DprmParameters, covariance: Array, level: Level
) -> LikeliestMove:
    """Least √(z'Σ⁻¹z) over log moves z at which one account falls below `level`.

    `covariance` Σ (underlyings, underlyings) of log price moves over the period of interest. Whitened moves
    are searched along the axes and a fixed set of random directions; the best is refined by trials around
    it, ever closer, and along the failing surface's normal. The result is a failing move, so never below the
    true distance; the tests bound how far above it may be. Raises `MarginError` for a covariance that is not
    symmetric and positive definite.
    """
    count = len(market.names)
    root: Array = np.asarray(np.linalg.cholesky(covariance_checked(covariance, count)))
    one = accounts.one(account)
    here = market if market.spot.ndim == 1 else MarketData(market.names, market.spot[account])
    random = np.random.default_rng(_SEED)
    whitened = _unit(
        np.concatenate([np.eye(count), -np.eye(count), random.normal(size=(_DIRECTIONS, count))])
    )
    if count == 1:
        whitened = np.array([[1.0], [-1.0]])
    lengths = first_failures(one, here, p, level, whitened @ root.T, steps=_STEPS)
    best = int(np.argmin(lengths))
    direction, length = whitened[best], float(lengths[best])
    if not np.isfinite(length):
        return LikeliestMove(level, np.inf, None)
    spread = 0.5
    for _ in range(_ROUNDS if count > 1 and length > 0 else 0):
        downhill = _downhill(one, here, p, level, root, direction * length)
        trials = _unit(np.concatenate([downhill, direction + spread * random.normal(size=(_TRIALS, count))]))
        lengths = first_failures(one, here, p, level, trials @ root.T, within=length, steps=_TRIAL_STEPS)
        nearest = int(np.argmin(lengths))
        if lengths[nearest] < length:
            direction, length = trials[nearest], float(lengths[nearest])
        else:
            spread *= 0.5
    return LikeliestMove(level, length, np.exp(root @ direction * length))


def _downhill(
    one: Accounts, market: MarketData, p: DprmParameters, level: Level, root: Array, point: Array
) -> Array:
    """Direction in which surplus falls fastest at a whitened point, shape (1, underlyings) or (0, …) if none.

    Where the failing surface is smooth, its nearest point lies in the direction of its own normal
    (Hasofer–Lind), so this trial converges in a few rounds whatever the number of underlyings.
    """
    steps = np.concatenate([np.eye(len(point)), -np.eye(len(point))]) * _DIFFERENCE
    moved = market.moved(np.exp((point + steps) @ root.T))
    surplus = level.surplus(evaluate(one.copies(len(steps)), moved, p))
    gradient = surplus[: len(point)] - surplus[len(point) :]
    return -gradient[np.newaxis] if np.abs(gradient).max() > 0 else np.empty((0, len(point)))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
