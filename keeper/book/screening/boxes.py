"""The box of prices in which an account certainly stays between the thresholds it lies between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Floats
from keeper.book.screening.bounds import ErrorBounds

# Of the room an account has, in logarithms, this share is for what prices do not explain; at most so much.
CLOCK_SHARE = 0.25
MOST_CLOCK = 0.01
# Of everything that is added up, so much is left for the roundings of making boxes.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Boxes:
    """By row: levels of each group, as ratios to those at making, between which the row stays (infinite where
    any level will do), and how far the clock may run until it must be looked at again. `cell` is how many
    thresholds lie certainly below the row; -1 where that is not certain, and its box is empty."""

    low: Floats
    high: Floats
    until: Floats
    cell: NDArray[np.int8]

    def of(self, rows: NDArray[np.bool_]) -> Boxes:
        """Those of some rows only."""
        return Boxes(self.low[rows], self.high[rows], self.until[rows], self.cell[rows])


def make(power: Floats, need: Floats, by: ErrorBounds, thresholds: Floats) -> Boxes:
    """Boxes of rows whose sums by group of legs are `power` and `need` (rows × groups).

    For the threshold T below a row, P_g(1 − ε)(1 − spread)e^(−b)·y_g summed over groups must stay at or above
    T·(N_g(1 + ε)e^b·y_g summed, plus dust), plus dust, for all levels y in the box and all drift up to b; it
    is linear in y, so the worst corner decides. Correspondingly for the threshold above.
    """
    rows, groups = power.shape
    total_power, total_need = power.sum(axis=1), need.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.maximum(total_power * by.power_low - by.power_flat, 0.0) / (
            total_need * (1 + by.relative) + by.need_flat
        )
        high = (total_power * (1 + by.relative) + by.power_flat) / np.maximum(
            total_need * (1 - by.relative) - by.need_flat, 0.0
        )
    free = total_need == 0.0
    low[free] = high[free] = np.inf
    low *= 1 - by.relative
    high *= 1 + by.relative
    under = np.searchsorted(thresholds, low, side="right")
    certain = under == np.searchsorted(thresholds, high, side="right")
    fenced = np.concatenate([[0.0], thresholds, [np.inf]])
    floor, ceiling = fenced[under], fenced[under + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.minimum(np.log(low / floor), np.log(ceiling / high))
    drift = np.clip(np.where(certain & ~free, CLOCK_SHARE * room / 2, 0.0), 0.0, MOST_CLOCK)
    drift = np.nan_to_num(drift, nan=0.0)
    box_low, box_high = np.full((rows, groups), -np.inf), np.full((rows, groups), np.inf)
    up, down = np.exp(drift)[:, None], np.exp(-drift)[:, None]
    _fence(
        power * (by.power_low * down),
        need * ((1 + by.relative) * up) * floor[:, None],
        by.power_flat + floor * by.need_flat,
        floor > 0,
        box_low,
        box_high,
    )
    finite = np.isfinite(ceiling)
    top = np.where(finite, ceiling, 0.0)
    _fence(
        need * ((1 - by.relative) * down) * top[:, None],
        power * ((1 + by.relative) * up),
        by.power_flat + top * by.need_flat,
        finite,
        box_low,
        box_high,
    )
    until = np.where(free, np.inf, drift)
    cell = np.where(certain, under, -1).astype(np.int8)
    box_low[free], box_high[free] = -np.inf, np.inf
    box_low[~certain] = np.inf
    return Boxes(box_low, box_high, until, cell)


def _fence(
    plus: Floats, minus: Floats, flat: Floats, there: NDArray[np.bool_], low: Floats, high: Floats
) -> None:
    """Tighten boxes so that (plus − minus)·y stays above `flat`, in the rows where there is such a fence."""
    slope = plus - minus
    weight = np.abs(slope).sum(axis=1)
    margin = slope.sum(axis=1) - flat - _ROUNDING * (plus.sum(axis=1) + minus.sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.where(weight > 0, margin / weight, 0.0) * (1 - _ROUNDING)
    width = np.where(there, np.maximum(np.nan_to_num(width), 0.0), np.inf)[:, None]
    np.maximum(low, np.where(slope > 0, 1 - width, -np.inf), out=low)
    np.minimum(high, np.where(slope < 0, 1 + width, np.inf), out=high)
