"""Expected Shortfall by Monte Carlo, its time beside the matrix product it cannot beat.

Processor seconds of all threads on both sides, so that a BLAS with more threads gains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from keeper.margin.interface import Array
from keeper.margin.risk import simulation
from scripts.bench.result import Result

ACCOUNTS = 1_000
ASSETS = 10
PATHS = 100_000
LEVEL = 0.99
AIM = 5.0
REPEATS = 3


def measure() -> list[Result]:
    """One row: seconds for all accounts, the product's seconds as baseline, their ratio, the aim for it."""
    generator = np.random.default_rng(1)
    exposures = generator.normal(0.0, 1_000.0, (ACCOUNTS, ASSETS))
    shocks = simulation.monte_carlo_shocks(np.eye(ASSETS) * 1e-3, PATHS, seed=1)
    shortfall = _fastest(lambda: simulation.expected_shortfalls(exposures, shocks, LEVEL))
    product = _fastest(lambda: _products(exposures, shocks))
    ratio = shortfall / product
    return [
        {
            "name": f"Expected Shortfall, {ACCOUNTS} accounts by {PATHS} paths of {ASSETS} assets",
            "value": shortfall,
            "unit": "s",
            "baseline": product,
            "ratio": ratio,
            "aim": f"at most {AIM:g} × the matrix product alone",
            "ok": ratio <= AIM,
        }
    ]


def _products(exposures: Array, shocks: Array) -> None:
    for start in range(0, ACCOUNTS, simulation.BLOCK):
        np.negative(exposures[start : start + simulation.BLOCK] @ shocks.T)


def _fastest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)
