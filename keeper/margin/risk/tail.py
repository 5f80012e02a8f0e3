"""Value at Risk and Expected Shortfall of equally likely losses: the convention used everywhere here.

A loss is positive. With n losses, tail mass m = n·(1 − level) and losses sorted x₁ ≥ x₂ ≥ …:

- VaR is x_k with k = ⌈m⌉, the upper quantile: of 500 losses at 99 % the fifth worst.
- ES is the mean of the worst share 1 − level of probability, (x₁ + … + x_{k−1} + (m − k + 1)·x_k) / m: the
  last loss counts with the part of it that lies in the tail. This is 1/(1 − level)·∫ VaR_u du, coherent, and
  never below VaR (Acerbi and Tasche 2002).

`mean_beyond_var` is the textbook figure that leaves x_k out (Hull); no requirement here uses it.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, number
from keeper.margin.interface import Array

PILOT = 4_096


def check_level(level: float, field: str = "level") -> float:
    """A confidence level strictly between 0.5 and 1, else MarginError."""
    if not 0.5 < number(level, field) < 1:
        raise MarginError(f"is {level}, must lie between 0.5 and 1", field=field)
    return level


def tail_mass(count: int, level: float) -> tuple[Fraction, int]:
    """(m, k): the tail's mass n·(1 − level), exact in the level's decimal form, and ⌈m⌉."""
    mass = count * (1 - Fraction(str(check_level(level))))
    return mass, ceil(mass)


def _worst(losses: ArrayLike, count: int) -> Array:
    """The `count` largest losses along the last axis, in descending order."""
    values = finite(losses, "losses")
    if values.ndim == 0 or values.shape[-1] == 0:
        raise MarginError("is empty", field="losses")
    rows = values.reshape(-1, values.shape[-1])
    tail = np.empty((rows.shape[0], count))
    for place, row in enumerate(rows):
        candidates = _candidates(row, count)
        cut = candidates.shape[0] - count
        tail[place] = np.partition(candidates, cut)[cut:]
    tail.sort(axis=-1)
    return tail[:, ::-1].reshape(*values.shape[:-1], count)


def _candidates(row: Array, count: int) -> Array:
    """A part of `row` that contains its `count` largest: partitioning all of a long row is the slow step.

    A sample of the row estimates a threshold with twice as many above it; where it is too high, the whole row
    is returned.
    """
    stride = row.shape[0] // PILOT
    if stride < 2 or 16 * count > row.shape[0]:
        return row
    pilot = row[::stride]
    keep = 2 * count * pilot.shape[0] // row.shape[0] + 8
    threshold = np.partition(pilot, pilot.shape[0] - keep)[pilot.shape[0] - keep]
    above = row[row >= threshold]
    return above if above.shape[0] >= count else row


def value_at_risk(losses: ArrayLike, level: float) -> Array:
    """VaR, the upper quantile of losses along the last axis: shape (…, n) to (…)."""
    _, k = tail_mass(np.shape(losses)[-1] if np.ndim(losses) else 0, level)
    return np.asarray(_worst(losses, max(k, 1))[..., -1], dtype=np.float64)


def expected_shortfall(losses: ArrayLike, level: float) -> Array:
    """ES, the mean of the worst share 1 − level of losses along the last axis: shape (…, n) to (…)."""
    mass, k = tail_mass(np.shape(losses)[-1] if np.ndim(losses) else 0, level)
    worst = _worst(losses, max(k, 1))
    whole, part = worst[..., :-1].sum(axis=-1), float(mass - k + 1)
    return np.asarray((whole + part * worst[..., -1]) / float(mass), dtype=np.float64)


def mean_beyond_var(losses: ArrayLike, level: float) -> Array:
    """Mean of the k − 1 losses worse than VaR (Hull); MarginError where the tail holds one loss only."""
    _, k = tail_mass(np.shape(losses)[-1] if np.ndim(losses) else 0, level)
    if k < 2:
        raise MarginError("no loss lies beyond VaR: more scenarios or a lower level", field="losses")
    return np.asarray(_worst(losses, k)[..., :-1].mean(axis=-1), dtype=np.float64)
