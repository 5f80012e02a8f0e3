"""Certified bounds of every account's health in one pass over the columns: see docs/SCREENING.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Floats
from keeper.book.screening.columns import BLOCK_ROWS, ColumnBlock, Columns
from keeper.margin.lending.weights import Weights

_ULP = 2.0**-52
# Roundings besides those of the sums: of amounts, weights, and the few operations on the way to a bound.
_OTHER_ROUNDINGS = 16


@dataclass(frozen=True, slots=True)
class ErrorBounds:
    """How far sums over columns may lie from what the protocol computes: relative and absolute, by side."""

    relative: float
    power_low: float
    power_flat: float
    need_flat: float

    @staticmethod
    def of(weights: Weights, depth: int) -> ErrorBounds:
        """For accounts with at most `depth` legs a side."""
        relative = (depth + _OTHER_ROUNDINGS) * _ULP
        more = 1 + relative
        return ErrorBounds(
            relative=relative,
            power_low=(1 - relative) * (1 - weights.spread),
            power_flat=(depth * weights.power_dust + weights.flat) * more,
            need_flat=depth * weights.need_dust * more,
        )


@dataclass(frozen=True, slots=True)
class HealthBounds:
    """Some rows with the bounds of their health, and their need in base currency."""

    rows: NDArray[np.int64]
    low: Floats
    high: Floats
    need: Floats


class Screen:
    """Bounds of health by row, in arrays that are filled again at every pass.

    `low` and `high` hold for every row but the opaque; infinite where there is no debt, and `high` where the
    debt may be worth nothing. A health of the protocol's, as real number, differs by 2e-18 at most.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.low: Floats = np.zeros(0)
        self.high: Floats = np.zeros(0)
        self.rows = np.zeros(0, np.int32)
        self.need: Floats = np.zeros(0)
        self._one, self._two = np.zeros(BLOCK_ROWS), np.zeros(BLOCK_ROWS)
        self._none = np.zeros(BLOCK_ROWS, np.bool_)

    def run(self, weights: Weights) -> None:
        """Value all accounts: afterwards `low`, `high` and `need` are by place, and `rows` says whose."""
        self._fit()
        widening = ErrorBounds.of(weights, self.columns.depth)
        start = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            for block in self.columns.blocks:
                end = start + len(block)
                self._block(block, weights, widening, slice(start, end))
                self.rows[start:end] = block.rows
                start = end

    def _block(self, block: ColumnBlock, weights: Weights, by: ErrorBounds, at: slice) -> None:
        size = len(block)
        need = self.need[at]
        need[:] = block.need @ weights.need
        power = block.power @ weights.power
        scratch = self._one[:size], self._two[:size], self._none[:size]
        _bounds(power, need, by, self.low[at], self.high[at], scratch)

    def below(self, threshold: float) -> HealthBounds:
        """All that may lie below the threshold at the last pass."""
        places = np.flatnonzero(self.low < threshold)
        places = places[self.rows[places] >= 0]
        return HealthBounds(
            self.rows[places].astype(np.int64), self.low[places], self.high[places], self.need[places]
        )

    def of(self, rows: NDArray[np.int64], weights: Weights) -> HealthBounds:
        """Bounds of these rows alone."""
        has, owes = self.columns.of(rows)
        power, need = has.weighed(weights.power, len(rows)), owes.weighed(weights.need, len(rows))
        low, high = np.empty(len(rows)), np.empty(len(rows))
        one, two = np.empty(len(rows)), np.empty(len(rows))
        none = np.empty(len(rows), np.bool_)
        with np.errstate(divide="ignore", invalid="ignore"):
            _bounds(power, need, ErrorBounds.of(weights, self.columns.depth), low, high, (one, two, none))
        return HealthBounds(rows, low, high, need)

    def _fit(self) -> None:
        size = len(self.columns)
        if size != len(self.low):
            self.low, self.high, self.need = np.empty(size), np.empty(size), np.empty(size)
            self.rows = np.empty(size, np.int32)


def _bounds(
    power: Floats,
    need: Floats,
    by: ErrorBounds,
    low: Floats,
    high: Floats,
    scratch: tuple[Floats, Floats, NDArray[np.bool_]],
) -> None:
    """Fill `low` and `high`; arrays of one length, nothing is allocated."""
    one, two, none = scratch
    np.multiply(power, by.power_low, out=one)
    np.subtract(one, by.power_flat, out=one)
    np.maximum(one, 0.0, out=one)
    np.multiply(need, 1 + by.relative, out=two)
    np.add(two, by.need_flat, out=two)
    np.divide(one, two, out=low)
    np.multiply(low, 1 - by.relative, out=low)
    np.multiply(power, 1 + by.relative, out=one)
    np.add(one, by.power_flat, out=one)
    np.multiply(need, 1 - by.relative, out=two)
    np.subtract(two, by.need_flat, out=two)
    np.maximum(two, 0.0, out=two)
    np.divide(one, two, out=high)
    np.multiply(high, 1 + by.relative, out=high)
    # Nothing owed is no debt; 0/0 where an account has nothing at all.
    np.equal(need, 0.0, out=none)
    np.copyto(low, np.inf, where=none)
    np.copyto(high, np.inf, where=none)
