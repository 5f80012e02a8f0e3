"""The likeliest failing move: the one of least Mahalanobis distance under a covariance of log moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.distance import Level, first_failures
from keeper.margin.portfolio.market import Market, covariance_checked
from keeper.margin.portfolio.parameters import DprmParameters

_DIRECTIONS = 32
_STEPS = 150
# Refinement: trials around the best direction, each walked only as far as the best failure yet.
_ROUNDS = 14
_TRIALS = 12
_TRIAL_STEPS = 32
_SEED = 20_240_601


@dataclass(frozen=True, slots=True)
class LikeliestMove:
    """`distance` in standard deviations (+inf: none within reach), `factors` (underlyings,) of the prices."""

    level: Level
    distance: float
    factors: Array | None


def likeliest_failure(
    accounts: Accounts, account: int, market: Market, p: DprmParameters, covariance: Array, level: Level
) -> LikeliestMove:
    """Least √(z'Σ⁻¹z) over log moves z at which one account falls below `level`.

    `covariance` Σ (underlyings, underlyings) of log price moves over the period of interest. Whitened moves
    are searched along the axes and a fixed set of random directions; the best is refined by trials around
    it, ever closer. The result is a failing move, so never below the true distance; the tests bound how far
    above it may lie. Raises `MarginError` for a covariance that is not one.
    """
    count = len(market.names)
    root = np.linalg.cholesky(covariance_checked(covariance, count))
    one = accounts.one(account)
    here = market if market.spot.ndim == 1 else Market(market.names, market.spot[account])
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
        trials = _unit(direction + spread * random.normal(size=(_TRIALS, count)))
        lengths = first_failures(one, here, p, level, trials @ root.T, within=length, steps=_TRIAL_STEPS)
        nearest = int(np.argmin(lengths))
        if lengths[nearest] < length:
            direction, length = trials[nearest], float(lengths[nearest])
        else:
            spread *= 0.5
    return LikeliestMove(level, length, np.exp(root @ direction * length))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
