"""Certified bounds of every account's health in one pass over the columns: see docs/SCREENING.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book.columns import BLOCK_ROWS, Block, Columns
from keeper.book.entries import Floats
from keeper.margin.lending.weights import Weights

_ULP = 2.0**-52
# Roundings besides those of the sums: of amounts, weights, and the few operations on the way to a bound.
_OTHER_ROUNDINGS = 16


@dataclass(frozen=True, slots=True)
class Widening:
    """How far sums over columns may lie from what the protocol computes: relative and absolute, by side."""

    relative: float
    power_low: float
    power_flat: float
    need_flat: float

    @staticmethod
    def of(weights: Weights, depth: int) -> Widening:
        """For accounts with at most `depth` legs a side."""
        relative = (depth + _OTHER_ROUNDINGS) * _ULP
        more = 1 + relative
        return Widening(
            relative=relative,
            power_low=(1 - relative) * (1 - weights.spread),
            power_flat=(depth * weights.power_dust + weights.flat) * more,
            need_flat=depth * weights.need_dust * more,
        )


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
        widening = Widening.of(weights, self.columns.depth)
        start = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            for block in self.columns.blocks:
                end = start + len(block)
                self._block(block, weights, widening, slice(start, end))
                self.rows[start:end] = block.rows
                start = end

    def _block(self, block: Block, weights: Weights, by: Widening, at: slice) -> None:
        size = len(block)
        low, high, need = self.low[at], self.high[at], self.need[at]
        one, two, none = self._one[:size], self._two[:size], self._none[:size]
        power = block.power @ weights.power
        need[:] = block.need @ weights.need
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

    def below(self, threshold: float) -> NDArray[np.int64]:
        """Places of all that may lie below the threshold."""
        return np.flatnonzero(self.low < threshold)

    def _fit(self) -> None:
        size = len(self.columns)
        if size != len(self.low):
            self.low, self.high, self.need = np.empty(size), np.empty(size), np.empty(size)
            self.rows = np.empty(size, np.int32)
