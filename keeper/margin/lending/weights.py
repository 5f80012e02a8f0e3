"""Weights of factors, in floats, with the error bounds of screening: see docs/SCREENING.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of a unit of each factor at one time, in the accounts' unit: arrays by factor, never
    negative, and zero if not requested.

    An account's entries are signed on the side of equity (a short position, money paid for a long one), and
    never negative on that of maintenance. With E⁺ and E⁻ the sums of |amount| times weight over its
    positive and its negative entries, N that over its maintenance, and at most k entries per side, in real
    numbers

        equity  ≥  E⁺·(1 − spread) − E⁻·(1 + spread) − k·equity_dust − flat
        equity  ≤  E⁺ − E⁻ + k·equity_dust + flat
        N·maintenance_share − k·maintenance_dust  ≤  maintenance  ≤  N + k·maintenance_dust

    hold for what the protocol computes with its rounding, and its health is equity over maintenance within
    2e-18. Each weight is off by at most one part in 2^52. For factors in `unbounded` none of this holds.

    `drift` is the largest share by which time alone changes any weight until the next block.
    """

    equity: NDArray[np.float64]
    maintenance: NDArray[np.float64]
    spread: float = 0.0
    equity_dust: float = 0.0
    maintenance_dust: float = 0.0
    maintenance_share: float = 1.0
    flat: float = 0.0
    unbounded: frozenset[int] = frozenset()
    drift: float = 0.0
