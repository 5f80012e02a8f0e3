"""An index of the accounts that a change of prices can matter to, read without examining the others.

Factors are grouped by the leaf feed behind their price, so that one ETH/USD tick moves every derivative of
it. A group's *level* is its first factor's weight now over that when the index was built. What moves a factor
apart from its group's level (interest, a derivative's own ratio, a new threshold) is added to a *clock* that
only runs forward. Each account has a box of levels and a time of the clock: inside, it certainly stays
between the thresholds it lies between. Derivation: docs/SCREENING.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Floats, Ints
from keeper.book.screening import boxes
from keeper.book.screening.bounds import ErrorBounds
from keeper.book.screening.boxes import Boxes
from keeper.book.screening.columns import Columns, Held
from keeper.book.screening.runs import Fences, Run
from keeper.margin.lending.weights import Weights

Rows = NDArray[np.int64]

# Boxes made anew lie unsorted until there are so many; then they are sorted in.
RECENT = 1 << 10
# Those sorted in since all boxes were made are joined with the others when they are this part of them.
_JOINED_AT = 16
# Dust grows with prices: boxes hold until it is so many times what it was.
_DUST_GROWTH = 2.0
# Boxes hold while time alone changes weights by no more than this share from one block to the next.
FORESEEN = 1e-5
# In which layer a row's box is.
_IN_BASE, _IN_MIDDLE, _RECENT, _NOWHERE = range(4)


class PriceIndex:
    """The index of one market. `groups` names the group of each factor, from 0; `thresholds` are healths, in
    any order.

    `cell` is by row: how many thresholds it certainly lies above, -1 where that is open.
    """

    def __init__(self, columns: Columns, groups: Ints, thresholds: Sequence[float]) -> None:
        self.columns = columns
        self.groups = groups
        self.count = int(groups.max(initial=0)) + 1
        self.thresholds: Floats = np.array(sorted(thresholds))
        self.cell: NDArray[np.int8] = np.zeros(0, np.int8)
        self.clock = 0.0
        self._levels: Floats = np.ones(self.count)
        self._by = ErrorBounds(0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
        self._recent = 0
        self._looked_at: Floats = self._levels
        self._home: NDArray[np.int8] = np.zeros(0, np.int8)
        # Its place there, where that is the recent one.
        self._place: Ints = np.zeros(0, np.int32)
        self._base = self._middle = Run.empty(self.count)
        self._forget_recent()

    def build(self, weights: Weights) -> None:
        """Build the boxes of all rows around these weights."""
        self._start(weights)
        size = self.columns.row_count
        self.cell = np.full(size, len(self.thresholds), np.int8)
        self._home = np.full(size, _NOWHERE, np.int8)
        self._place = np.zeros(size, np.int32)
        parts: list[Fences] = []
        for block in self.columns.blocks:
            there = block.rows >= 0
            made = self._boxes(block.held(), len(block), weights).of(there)
            rows = block.rows[there]
            self.cell[rows] = made.cell
            self._home[rows] = _IN_BASE
            parts.append(self._fences(rows, made))
        self._base, self._middle = Run.of(parts) if parts else Run.empty(self.count), Run.empty(self.count)
        self._forget_recent()

    def candidates(self, weights: Weights) -> Rows | None:
        """The rows whose box these weights leave, including those that never had one; None when all boxes
        must be built anew, because more than prices and interest has changed. Each is named once: its box
        must be renewed (`renew`) before the next tick."""
        if not self._move(weights):
            return None
        moved = (self._levels != self._looked_at).nonzero()[0].tolist()
        levels = [(group, float(self._levels[group])) for group in moved]
        self._looked_at = self._levels
        found = [self._recently_broken(levels)]
        for run, home in ((self._base, _IN_BASE), (self._middle, _IN_MIDDLE)):
            parts = run.broken(levels, self.clock)
            if parts:
                # Only here may a row come twice: its box may have broken on two sides.
                rows = parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
                found.append(rows[self._home[rows] == home])
        return np.concatenate(found, dtype=np.int64)

    def renew(self, rows: Rows, weights: Weights) -> None:
        """Renew the boxes of these rows around the weights last moved to. Call it for candidates and for rows
        whose stake changed."""
        if not len(rows):
            return
        more = self.columns.row_count - len(self.cell)
        if more > 0:
            self.cell = np.concatenate([self.cell, np.full(more, -1, np.int8)])
            self._home = np.concatenate([self._home, np.full(more, _NOWHERE, np.int8)])
            self._place = np.concatenate([self._place, np.zeros(more, np.int32)])
        made = self._boxes(self.columns.of(rows), len(rows), weights)
        self.cell[rows] = made.cell
        self._forget(self._place[rows[self._home[rows] == _RECENT]])
        self._home[rows] = _NOWHERE
        fences = self._fences(rows.astype(np.int32), made)
        if self._recent + len(rows) > RECENT:
            self._sort_in(fences)
        else:
            self._keep(fences)

    def _keep(self, fences: Fences) -> None:
        """Keep fences among the recent boxes, which every tick examines."""
        end = self._recent + len(fences.rows)
        at = slice(self._recent, end)
        self._recent_rows[at] = fences.rows
        self._recent_low[:, at] = fences.low
        self._recent_high[:, at] = fences.high
        self._recent_until[at] = fences.until
        self._home[fences.rows] = _RECENT
        self._place[fences.rows] = np.arange(self._recent, end, dtype=np.int32)
        self._recent = end

    def _recently_broken(self, levels: Sequence[tuple[int, float]]) -> Ints:
        """The recent rows whose box the clock or these groups' levels have left."""
        fresh = slice(0, self._recent)
        left = self._recent_until[fresh] < self.clock
        for group, level in levels:
            left |= self._recent_low[group, fresh] > level
            left |= self._recent_high[group, fresh] < level
        return self._recent_rows[fresh][left]

    def _sort_in(self, more: Fences) -> None:
        """Merge these and the recent boxes into the sorted ones."""
        live = np.flatnonzero(self._recent_rows[: self._recent] >= 0)
        recent = Fences(
            self._recent_rows[live],
            self._recent_low[:, live],
            self._recent_high[:, live],
            self._recent_until[live],
        )
        self._middle = self._middle.joined(self._home == _IN_MIDDLE, Run.of([recent, more]))
        self._home[recent.rows] = self._home[more.rows] = _IN_MIDDLE
        if self._middle.count * _JOINED_AT > self._base.count:
            self._base = self._base.joined(self._home == _IN_BASE, self._middle)
            self._home[self._home == _IN_MIDDLE] = _IN_BASE
            self._middle = Run.empty(self.count)
        self._forget_recent()

    def _boxes(self, held: tuple[Held, Held], rows: int, weights: Weights) -> Boxes:
        has, owes = held

        def by_group(each: Held, weigh: Floats) -> Floats:
            return each.weighed_by_group(weigh, rows, self.groups, self.count)

        plus, minus = has, None
        if self.columns.signed:
            plus, against = has.by_sign()
            minus = by_group(against, weights.equity)
        maintenance = by_group(owes, weights.maintenance)
        return boxes.make(by_group(plus, weights.equity), minus, maintenance, self._by, self.thresholds)

    def _fences(self, rows: Ints, made: Boxes) -> Fences:
        """Boxes around the present levels and time, in absolute levels and times."""
        levels = self._levels[:, None]
        return Fences(rows, made.low.T * levels, made.high.T * levels, made.until + self.clock)

    def _start(self, weights: Weights) -> None:
        """Set the starting levels and clock, and the weights they are measured against."""
        used = np.fromiter(sorted(self.columns.factors), np.int64)
        self._equity_factors = used[weights.equity[used] > 0]
        self._maintenance_factors = used[weights.maintenance[used] > 0]
        self._zero_equity = used[weights.equity[used] == 0]
        self._zero_maintenance = used[weights.maintenance[used] == 0]
        self._factors_known = len(self.columns.factors)
        self._of = self.groups[np.concatenate([self._equity_factors, self._maintenance_factors])]
        # One place more, which never moves: for groups without a factor.
        self._first = np.full(self.count, len(self._of))
        for place in range(len(self._of) - 1, -1, -1):
            self._first[self._of[place]] = place
        self._weighed: Floats = np.ones(len(self._of) + 1)
        self._reference: Floats = np.ones(len(self._of) + 1)
        self._reference = self._weigh(weights).copy()
        self._drift = np.ones(len(self._of))
        self._levels, self.clock = np.ones(self.count), 0.0
        self._looked_at = self._levels
        self._unbounded_factors = weights.unbounded
        built_for = replace(
            weights,
            equity_dust=weights.equity_dust * _DUST_GROWTH,
            maintenance_dust=weights.maintenance_dust * _DUST_GROWTH,
            drift=max(weights.drift, FORESEEN),
        )
        self._built_for, self._depth = built_for, self.columns.depth
        self._by = ErrorBounds.of(built_for, self._depth)

    def _weigh(self, weights: Weights) -> Floats:
        """The factors' weights relative to those at the start; the same array each time."""
        has = len(self._equity_factors)
        weights.equity.take(self._equity_factors, out=self._weighed[:has], mode="clip")
        weights.maintenance.take(self._maintenance_factors, out=self._weighed[has:-1], mode="clip")
        return np.divide(self._weighed, self._reference, out=self._weighed)

    def _move(self, weights: Weights) -> bool:
        """Move levels and clock to these weights; False when boxes say nothing about them."""
        built = self._built_for
        if (
            weights.spread > built.spread
            or weights.equity_dust > built.equity_dust
            or weights.maintenance_dust > built.maintenance_dust
            or weights.maintenance_share < built.maintenance_share
            or weights.flat > built.flat
            or weights.drift > built.drift
            or weights.unbounded != self._unbounded_factors
            or len(self.columns.factors) != self._factors_known
            or self.columns.depth > self._depth
            or (len(self._zero_equity) and weights.equity[self._zero_equity].any())
            or (len(self._zero_maintenance) and weights.maintenance[self._zero_maintenance].any())
        ):
            return False
        if not len(self._of):
            return True
        ratios = self._weigh(weights)
        if not np.minimum.reduce(ratios) > 0:
            return False
        levels = ratios[self._first]
        drift = ratios[:-1] / levels[self._of]
        moved = drift / self._drift
        # A step's own rounding is added: the clock must never run slow.
        most = max(math.log(np.maximum.reduce(moved)), -math.log(np.minimum.reduce(moved)))
        self.clock += most + 2.0**-50
        self._levels, self._drift = levels, drift
        return True

    def _forget(self, places: Ints) -> None:
        """Remove recent boxes that others have replaced: nothing breaks them."""
        self._recent_rows[places] = -1
        self._recent_low[:, places] = -np.inf
        self._recent_high[:, places] = np.inf
        self._recent_until[places] = np.inf

    def _forget_recent(self) -> None:
        self._recent = 0
        self._recent_rows: Ints = np.full(RECENT, -1, np.int32)
        self._recent_low: Floats = np.zeros((self.count, RECENT))
        self._recent_high: Floats = np.zeros((self.count, RECENT))
        self._recent_until: Floats = np.zeros(RECENT)
