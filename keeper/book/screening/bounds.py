"""Certified bounds of every account in one pass over the columns: see docs/SCREENING.md.

Bounded is the surplus at a level, equity − level·maintenance. An account's `low` is the level up to which its
surplus is certainly not negative, until the next block and whatever time alone may take; its `high` the level
from which the surplus is certainly negative. One interval answers for all levels above zero.
"""

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
    """How far sums over columns may lie from what the protocol computes until the next block.

    `relative` is the floating-point error either way. What counts for the account keeps at least `plus_low`
    of its sum, what counts against its equity becomes at most `minus_high`, and maintenance lies between
    `maintenance_low` and `maintenance_high`; the flat terms come on top.
    """

    relative: float
    plus_low: float
    minus_high: float
    maintenance_low: float
    maintenance_high: float
    equity_flat: float
    maintenance_flat: float

    @staticmethod
    def of(weights: Weights, depth: int) -> ErrorBounds:
        """Error bounds for accounts with at most `depth` factors per side."""
        relative = (depth + _OTHER_ROUNDINGS) * _ULP
        more = 1 + relative
        return ErrorBounds(
            relative=relative,
            plus_low=(1 - relative) * (1 - weights.spread) * (1 - weights.drift),
            minus_high=more * (1 + weights.spread) * (1 + weights.drift),
            maintenance_low=(1 - relative) * weights.maintenance_share,
            maintenance_high=more * (1 + weights.drift),
            equity_flat=(depth * weights.equity_dust + weights.flat) * more,
            maintenance_flat=depth * weights.maintenance_dust * more,
        )


@dataclass(frozen=True, slots=True)
class HealthBounds:
    """Some rows with the bounds of their health, and their maintenance in the accounts' unit."""

    rows: NDArray[np.int64]
    low: Floats
    high: Floats
    maintenance: Floats


class Screen:
    """Bounds of health by row, in arrays that are refilled at every pass.

    `low` and `high` hold for every row but the unbounded; infinite where nothing is required, and `high`
    where that may be so. The protocol's health, as a real number, differs by at most 2e-18.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.low: Floats = np.zeros(0)
        self.high: Floats = np.zeros(0)
        self.rows = np.zeros(0, np.int32)
        self.maintenance: Floats = np.zeros(0)
        self._one, self._two = np.zeros(BLOCK_ROWS), np.zeros(BLOCK_ROWS)
        self._none = np.zeros(BLOCK_ROWS, np.bool_)

    def run(self, weights: Weights) -> None:
        """Value all accounts: fills `low`, `high` and `maintenance` by place; `rows` names each place's
        row."""
        size = len(self.columns)
        if size != len(self.low):
            self.low, self.high, self.maintenance = np.empty(size), np.empty(size), np.empty(size)
            self.rows = np.empty(size, np.int32)
        errors = ErrorBounds.of(weights, self.columns.depth)
        start = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            for block in self.columns.blocks:
                end = start + len(block)
                self._block(block, weights, errors, slice(start, end))
                self.rows[start:end] = block.rows
                start = end

    def _block(self, block: ColumnBlock, weights: Weights, by: ErrorBounds, at: slice) -> None:
        size = len(block)
        maintenance = self.maintenance[at]
        maintenance[:] = block.maintenance @ weights.maintenance
        equity = block.equity @ weights.equity
        gross = abs(block.equity) @ weights.equity if self.columns.signed else None
        scratch = self._one[:size], self._two[:size], self._none[:size]
        _bounds(equity, gross, maintenance, by, self.low[at], self.high[at], scratch)

    def below(self, threshold: float) -> HealthBounds:
        """The rows that may lie below the threshold at the last pass."""
        places = np.flatnonzero(self.low < threshold)
        places = places[self.rows[places] >= 0]
        return HealthBounds(
            self.rows[places].astype(np.int64), self.low[places], self.high[places], self.maintenance[places]
        )

    def of(self, rows: NDArray[np.int64], weights: Weights) -> HealthBounds:
        """Bounds of these rows alone."""
        has, owes = self.columns.of(rows)
        size = len(rows)
        equity, maintenance = has.weighed(weights.equity, size), owes.weighed(weights.maintenance, size)
        gross = has.gross(weights.equity, size) if self.columns.signed else None
        low, high = np.empty(size), np.empty(size)
        scratch = np.empty(size), np.empty(size), np.empty(size, np.bool_)
        with np.errstate(divide="ignore", invalid="ignore"):
            by = ErrorBounds.of(weights, self.columns.depth)
            _bounds(equity, gross, maintenance, by, low, high, scratch)
        return HealthBounds(rows, low, high, maintenance)


def _bounds(
    equity: Floats,
    gross: Floats | None,
    maintenance: Floats,
    by: ErrorBounds,
    low: Floats,
    high: Floats,
    scratch: tuple[Floats, Floats, NDArray[np.bool_]],
) -> None:
    """Fill `low` and `high`; arrays of one length. `gross` is the sum of amounts for and against an account;
    without it nothing counts against any account and nothing is allocated."""
    one, two, none = scratch
    if gross is None:
        np.multiply(equity, by.plus_low, out=one)
    else:
        np.subtract(equity, (by.minus_high - 1) * gross, out=one)
    np.subtract(one, by.equity_flat, out=one)
    np.maximum(one, 0.0, out=one)
    np.multiply(maintenance, by.maintenance_high, out=two)
    np.add(two, by.maintenance_flat, out=two)
    np.divide(one, two, out=low)
    np.multiply(low, 1 - by.relative, out=low)
    if gross is None:
        np.multiply(equity, 1 + by.relative, out=one)
    else:
        np.add(equity, by.relative * gross, out=one)
    np.add(one, by.equity_flat, out=one)
    np.multiply(maintenance, by.maintenance_low, out=two)
    np.subtract(two, by.maintenance_flat, out=two)
    np.maximum(two, 0.0, out=two)
    if gross is not None:
        np.maximum(one, 0.0, out=one)
    np.divide(one, two, out=high)
    np.multiply(high, 1 + by.relative, out=high)
    if gross is not None:
        # Nothing may be required, whatever equity is.
        np.copyto(high, np.inf, where=two == 0.0)
    # Where nothing is required nobody is below; 0/0 where an account has nothing at all.
    np.equal(maintenance, 0.0, out=none)
    np.copyto(low, np.inf, where=none)
    np.copyto(high, np.inf, where=none)
