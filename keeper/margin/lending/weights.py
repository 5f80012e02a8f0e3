"""What a unit of a leg weighs, in floats, with the error bounds of screening: see docs/SCREENING.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weights:
    """What a unit of each leg weighs at one moment, in base currency; arrays by leg, zero if not asked for.

    With P and N the sums of amount times weight over an account's k legs, in real numbers,

        P·(1 − spread) − k·power_dust − flat  ≤  power  ≤  P + k·power_dust + flat
        N − k·need_dust                       ≤  need   ≤  N + k·need_dust

    hold for what the protocol computes with its rounding, and its health is power over need within 2e-18.
    Each weight is off by at most one part in 2^52. Legs in `unbounded` are bounded by nothing.
    """

    power: NDArray[np.float64]
    need: NDArray[np.float64]
    spread: float = 0.0
    power_dust: float = 0.0
    need_dust: float = 0.0
    flat: float = 0.0
    unbounded: frozenset[int] = frozenset()
