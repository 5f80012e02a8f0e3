"""Which accounts a tick of prices can matter to, without a look at the others.

Legs are grouped by the leaf feed behind their price, so that one ETH/USD tick moves every derivative of it. A
group's *level* is what its first leg weighs now over what it weighed when the index was built. What moves a
leg apart from its group's level (interest, a derivative's own ratio, a new threshold) is added to a *clock*
that only runs forward. Each account has a box of levels and a time of the clock: inside, it certainly stays
between the thresholds it lies between. Derivation: docs/SCREENING.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book import boxes
from keeper.book.boxes import Boxes
from keeper.book.columns import Columns
from keeper.book.entries import Floats, Ints
from keeper.book.screening import Widening
from keeper.margin.lending.weights import Weights

Rows = NDArray[np.int64]

# Rows whose box was made anew since all were; when there are more, all are made anew.
MOST_ANEW = 1 << 14
# Dust grows with prices: boxes hold until it is so many times what it was.
_DUST_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Bounds in the order in which they break, and whose they are."""

    at: Floats
    rows: Ints

    def broken(self, level: float) -> Ints:
        """The rows whose bound lies before `level`."""
        return self.rows[: self.at.searchsorted(level)]


class PriceIndex:
    """`groups` names the group of each leg, from 0; `thresholds` are healths, of any order.

    `cell` is by row: how many thresholds it certainly lies above, -1 where that is open."""

    def __init__(self, columns: Columns, groups: Ints, thresholds: Sequence[float]) -> None:
        self.columns = columns
        self.groups = groups
        self.count = int(groups.max(initial=0)) + 1
        self.thresholds: Floats = np.array(sorted(thresholds))
        self.cell: NDArray[np.int8] = np.zeros(0, np.int8)
        self.clock = 0.0
        self._levels: Floats = np.ones(self.count)
        self._by = Widening(0.0, 1.0, 0.0, 0.0)
        self._looked_at: Floats = self._levels
        self._anew = 0
        self._forget_anew()

    def build(self, weights: Weights) -> None:
        """Boxes of all rows around these weights."""
        self._start(weights)
        size = self.columns.row_count
        self.cell = np.full(size, len(self.thresholds), np.int8)
        self._anew_of: Ints = np.full(size, -1, np.int32)
        low: list[list[tuple[Floats, Ints]]] = [[] for _ in range(self.count)]
        high: list[list[tuple[Floats, Ints]]] = [[] for _ in range(self.count)]
        until: list[tuple[Floats, Ints]] = []
        for block in self.columns.blocks:
            made = boxes.make(
                block.power @ self._by_group(weights.power),
                block.need @ self._by_group(weights.need),
                self._by,
                self.thresholds,
            )
            there = block.rows >= 0
            self.cell[block.rows[there]] = made.cell[there]
            for group in range(self.count):
                ends = there & (made.low[:, group] > -np.inf)
                low[group].append((-made.low[ends, group], block.rows[ends]))
                ends = there & (made.high[:, group] < np.inf)
                high[group].append((made.high[ends, group], block.rows[ends]))
            ends = there & (made.until < np.inf)
            until.append((made.until[ends], block.rows[ends]))
        self._low, self._high = [_sorted(each) for each in low], [_sorted(each) for each in high]
        self._until = _sorted(until)
        self._forget_anew()

    def candidates(self, weights: Weights) -> Rows | None:
        """The rows whose box these weights leave, those that never had one among them; None when all boxes
        must be made anew, because more than prices and interest has changed. Their boxes are to be made anew
        (`renew`) before the next tick: they are not named again for the same levels."""
        if not self._move(weights):
            return None
        found = [self._until.broken(self.clock)]
        fresh = slice(0, self._anew)
        left = self._anew_until[fresh] < self.clock
        # A box that another group's level left was found then, and made anew.
        for group in (self._levels != self._looked_at).nonzero()[0].tolist():
            level = self._levels[group]
            found.append(self._low[group].broken(-level))
            found.append(self._high[group].broken(level))
            left |= self._anew_low[group, fresh] > level
            left |= self._anew_high[group, fresh] < level
        self._looked_at = self._levels
        rows = np.concatenate(found)
        rows = rows[self._anew_of[rows] < 0]
        again = self._anew_rows[: self._anew][left]
        return np.unique(np.concatenate([rows, again[again >= 0]])).astype(np.int64)

    def renew(self, rows: Rows, weights: Weights) -> bool:
        """Make the boxes of these rows anew around the weights last moved to; False when there is no room,
        and all must be. To be called for candidates and for rows whose stake changed."""
        if not len(rows):
            return True
        if self._anew + len(rows) > MOST_ANEW:
            return False
        more = self.columns.row_count - len(self.cell)
        if more:
            self.cell = np.concatenate([self.cell, np.full(more, -1, np.int8)])
            self._anew_of = np.concatenate([self._anew_of, np.full(more, -1, np.int32)])
        power, need = np.zeros((len(rows), self.count)), np.zeros((len(rows), self.count))
        by_power, by_need = self._by_group(weights.power), self._by_group(weights.need)
        for at, some_power, some_need in self.columns.of(rows):
            power[at], need[at] = some_power @ by_power, some_need @ by_need
        made = boxes.make(power, need, self._by, self.thresholds)
        self._keep(rows, made)
        return True

    def _keep(self, rows: Rows, made: Boxes) -> None:
        before = self._anew_of[rows]
        self._anew_rows[before[before >= 0]] = -1
        end = self._anew + len(rows)
        at = slice(self._anew, end)
        self._anew_rows[at] = rows
        self._anew_low[:, at] = (made.low * self._levels).T
        self._anew_high[:, at] = (made.high * self._levels).T
        self._anew_until[at] = made.until + self.clock
        self._anew_of[rows] = np.arange(self._anew, end, dtype=np.int32)
        self.cell[rows] = made.cell
        self._anew = end

    def _start(self, weights: Weights) -> None:
        """Levels, clock and what they are measured against."""
        used = np.fromiter(sorted(self.columns.legs), np.int64)
        self._power_legs = used[weights.power[used] > 0]
        self._need_legs = used[weights.need[used] > 0]
        self._zero_power = used[weights.power[used] == 0]
        self._zero_need = used[weights.need[used] == 0]
        self._legs_known = len(self.columns.legs)
        self._of = self.groups[np.concatenate([self._power_legs, self._need_legs])]
        self._first = np.full(self.count, -1)
        for place in range(len(self._of) - 1, -1, -1):
            self._first[self._of[place]] = place
        self._reference = self._weigh(weights)
        self._drift = np.zeros(len(self._of))
        self._levels, self.clock = np.ones(self.count), 0.0
        self._looked_at = self._levels
        self._opaque_legs = weights.opaque
        dusty = Weights(
            power=weights.power,
            need=weights.need,
            spread=weights.spread,
            power_dust=weights.power_dust * _DUST_GROWTH,
            need_dust=weights.need_dust * _DUST_GROWTH,
            flat=weights.flat,
        )
        self._built_for, self._depth = dusty, self.columns.depth
        self._by = Widening.of(dusty, self._depth)

    def _weigh(self, weights: Weights) -> Floats:
        return np.concatenate([weights.power[self._power_legs], weights.need[self._need_legs]])

    def _move(self, weights: Weights) -> bool:
        """Levels and clock at these weights; False when boxes say nothing about them."""
        built = self._built_for
        if (
            weights.spread > built.spread
            or weights.power_dust > built.power_dust
            or weights.need_dust > built.need_dust
            or weights.flat > built.flat
            or weights.opaque != self._opaque_legs
            or len(self.columns.legs) != self._legs_known
            or self.columns.depth > self._depth
            or (len(self._zero_power) and weights.power[self._zero_power].any())
            or (len(self._zero_need) and weights.need[self._zero_need].any())
        ):
            return False
        ratios = self._weigh(weights) / self._reference
        if not len(ratios):
            return True
        if not ratios.min() > 0:
            return False
        levels = np.where(self._first >= 0, ratios[self._first], 1.0)
        drift = np.log(ratios / levels[self._of])
        # A step's own rounding is added: the clock must never run slow.
        self.clock += float(np.abs(drift - self._drift).max()) + 2.0**-50
        self._levels, self._drift = levels, drift
        return True

    def _by_group(self, weights: Floats) -> Floats:
        spread = np.zeros((len(weights), self.count))
        legs = np.fromiter(self.columns.legs, np.int64)
        spread[legs, self.groups[legs]] = weights[legs]
        return spread

    def _forget_anew(self) -> None:
        self._anew = 0
        self._anew_rows: Rows = np.full(MOST_ANEW, -1, np.int64)
        self._anew_low: Floats = np.zeros((self.count, MOST_ANEW))
        self._anew_high: Floats = np.zeros((self.count, MOST_ANEW))
        self._anew_until: Floats = np.zeros(MOST_ANEW)


def _sorted(parts: Sequence[tuple[Floats, Ints]]) -> _Sorted:
    if not parts:
        return _Sorted(np.zeros(0), np.zeros(0, np.int32))
    at, rows = np.concatenate([a for a, _ in parts]), np.concatenate([r for _, r in parts])
    order = np.argsort(at, kind="stable")
    return _Sorted(at[order], rows[order])
