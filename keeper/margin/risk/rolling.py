"""VaR and Expected Shortfall day by day, each from days before it: the input of a backtest.

Filtered historical simulation of one series: the tail of the last `window` standardised returns, times
today's EWMA volatility. Source: Barone-Adesi, Giannopoulos, Vosper (1999); Hull and White (1998).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite
from keeper.margin.interface import Array
from keeper.margin.risk.tail import expected_shortfall, value_at_risk
from keeper.margin.risk.volatility import RISKMETRICS_LAMBDA, ewma_variances

BURN_IN = 30


def _rolling(
    returns: ArrayLike, level: float, window: int, decay: float, tail: Callable[[Array, float], Array]
) -> Array:
    values = finite(returns, "returns")
    if values.ndim != 1 or values.shape[0] <= window + BURN_IN:
        raise MarginError(f"must be one series of more than {window + BURN_IN} days", field="returns")
    sigmas = np.sqrt(ewma_variances(values, decay))
    if (sigmas <= 0).any():
        raise MarginError("never moves: its volatility is zero", field="returns")
    losses = (-values / sigmas[:-1])[BURN_IN:]
    tails = tail(np.lib.stride_tricks.sliding_window_view(losses, window), level)
    return np.asarray(tails * sigmas[BURN_IN + window :], dtype=np.float64)


def filtered_var(
    returns: ArrayLike, level: float, window: int = 500, decay: float = RISKMETRICS_LAMBDA
) -> Array:
    """VaR of a long position of 1 for day window + 30, each later one, and the day after the last.

    Shape (days,) to (days − window − 29,); element i was known at the end of day window + 29 + i.
    """
    return _rolling(returns, level, window, decay, value_at_risk)


def filtered_es(
    returns: ArrayLike, level: float, window: int = 500, decay: float = RISKMETRICS_LAMBDA
) -> Array:
    """As `filtered_var`, with Expected Shortfall in place of VaR."""
    return _rolling(returns, level, window, decay, expected_shortfall)
