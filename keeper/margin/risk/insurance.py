"""Size of a protocol's insurance fund: Expected Shortfall of the losses that accounts cannot pay.

An account's loss beyond its equity is uncovered. In each scenario, uncovered losses add up over accounts
(one account's profit does not pay another's debt); the fund is the Expected Shortfall of that sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite
from keeper.margin.interface import Array
from keeper.margin.risk.tail import expected_shortfall

FUND_LEVEL = 0.999


def uncovered(losses: ArrayLike, equity: ArrayLike) -> Array:
    """Σ over accounts of max(0, loss − equity), (accounts, scenarios) to (scenarios,).

    Negative equity is a loss that has already happened; a scenario's profit may still pay it back.
    """
    lost, held = finite(losses, "losses"), finite(equity, "equity")
    if lost.ndim != 2 or held.shape != lost.shape[:1]:
        raise MarginError(f"has shape {held.shape}, losses {lost.shape}", field="equity")
    beyond = np.maximum(lost - held[:, None], 0.0)
    return np.asarray(beyond.sum(axis=0), dtype=np.float64)


def insurance_fund(losses: ArrayLike, equity: ArrayLike, level: float = FUND_LEVEL) -> float:
    """Expected Shortfall of the uncovered loss, money."""
    return float(expected_shortfall(uncovered(losses, equity), level))
