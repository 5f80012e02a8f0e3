"""The box of prices in which an account certainly stays between the thresholds it lies between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Floats
from keeper.book.screening.bounds import ErrorBounds

# Of the room an account has, this share is for what prices do not explain; at most so much.
CLOCK_SHARE = 0.25
MOST_CLOCK = 0.01
# Of everything that is added up, so much is left for the roundings of making boxes.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes by row: levels of each group, as ratios to those at making, between which the row stays (infinite
    where any level will do), and how far the clock may run before it must be examined again. `cell` is how
    many thresholds lie certainly below the row; -1 where that is not certain, and its box is empty."""

    low: Floats
    high: Floats
    until: Floats
    cell: NDArray[np.int8]

    def of(self, rows: NDArray[np.bool_]) -> Boxes:
        """The boxes of some rows only."""
        return Boxes(self.low[rows], self.high[rows], self.until[rows], self.cell[rows])


def make(
    plus: Floats, minus: Floats | None, maintenance: Floats, by: ErrorBounds, thresholds: Floats
) -> Boxes:
    """Boxes of rows whose sums by group of factors (rows × groups) are `plus`, which counts for their equity,
    `minus`, which counts against it (None: nothing, in any row), and `maintenance`.

    For the threshold T below a row, its surplus at T must stay at or above zero: what counts for it, at its
    least, above what counts against it and T times maintenance, at their most, and above the flat terms, for
    all levels y in the box and all drift up to b. It is linear in y, so the worst corner decides. For the
    threshold above, the surplus must stay below zero.
    """
    rows, groups = plus.shape
    total_plus, total = plus.sum(axis=1), maintenance.sum(axis=1)
    total_minus = np.zeros(rows) if minus is None else minus.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = total_plus * by.plus_low - total_minus * by.minus_high - by.equity_flat
        most = total_plus * (1 + by.relative) - total_minus * (1 - by.relative) + by.equity_flat
        required = np.maximum(total * by.maintenance_low - by.maintenance_flat, 0.0)
        low = np.maximum(least, 0.0) / (total * by.maintenance_high + by.maintenance_flat)
        high = np.where(required > 0, np.maximum(most, 0.0) / required, np.inf)
    free = total == 0.0
    low[free] = high[free] = np.inf
    low *= 1 - by.relative
    high *= 1 + by.relative
    under = np.searchsorted(thresholds, low, side="right")
    certain = under == np.searchsorted(thresholds, high, side="right")
    fenced = np.concatenate([[0.0], thresholds, [np.inf]])
    floor, ceiling = fenced[under], fenced[under + 1]
    finite = np.isfinite(ceiling)
    top = np.where(finite, ceiling, 0.0)
    # How much of all that is added up the surplus is, at the threshold below and at the one above.
    gross = total_plus + total_minus
    with np.errstate(divide="ignore", invalid="ignore"):
        above = (least - floor * (total * by.maintenance_high + by.maintenance_flat)) / (
            gross + floor * total
        )
        beneath = (top * required - most) / (gross + top * total)
    room = np.minimum(np.where(floor > 0, above, np.inf), np.where(finite, beneath, np.inf))
    drift = np.nan_to_num(np.where(certain & ~free, CLOCK_SHARE * room, 0.0), nan=0.0)
    drift = np.clip(drift, 0.0, MOST_CLOCK)
    box_low, box_high = np.full((rows, groups), -np.inf), np.full((rows, groups), np.inf)
    up, down = np.exp(drift)[:, None], np.exp(-drift)[:, None]
    against = maintenance * (by.maintenance_high * up) * floor[:, None]
    pulling = maintenance * (by.maintenance_low * down) * top[:, None]
    if minus is not None:
        against += minus * (by.minus_high * up)
        pulling += minus * ((1 - by.relative) * down)
    _fence(
        plus * (by.plus_low * down),
        against,
        by.equity_flat + floor * by.maintenance_flat,
        floor > 0,
        box_low,
        box_high,
    )
    _fence(
        pulling,
        plus * ((1 + by.relative) * up),
        by.equity_flat + top * by.maintenance_flat,
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
