"""Return series whose truth is known: a GARCH(1,1) and a diffusion with jumps, made from a seed."""

from __future__ import annotations

import numpy as np

from keeper.margin.interface import Array


def garch(days: int, seed: int, *, alpha: float = 0.08, beta: float = 0.90, sigma: float = 0.03) -> Array:
    """Normal innovations; `sigma` is the long-run daily volatility."""
    generator = np.random.default_rng(seed)
    shocks = generator.standard_normal(days)
    returns = np.empty(days)
    variance = sigma**2
    for day in range(days):
        returns[day] = np.sqrt(variance) * shocks[day]
        variance = sigma**2 * (1 - alpha - beta) + alpha * returns[day] ** 2 + beta * variance
    return returns


def jumps(days: int, seed: int, *, sigma: float = 0.02, chance: float = 0.03, jump: float = 0.06) -> Array:
    """Normal days, and with a small chance a normal jump three times as large on top."""
    generator = np.random.default_rng(seed)
    diffusion = sigma * generator.standard_normal(days)
    jumped = generator.random(days) < chance
    return np.asarray(diffusion + jumped * jump * generator.standard_normal(days), dtype=np.float64)
