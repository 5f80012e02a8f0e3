"""Bounds of many boxes in the order in which they break, so that a tick is a search and not a pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Floats, Ints

_NEAR = 1 << 10


@dataclass(frozen=True, slots=True)
class Fences:
    """Boxes of some rows in absolute levels: `low` and `high` are groups × rows, `until` a time of the clock;
    infinite where nothing breaks."""

    rows: Ints
    low: Floats
    high: Floats
    until: Floats

    def sides(self) -> Iterator[tuple[Floats, Ints]]:
        """All bounds as (bound, row), one side after the other: each group's low and high, then the clock.
        Lows are negated, so that every bound breaks when a value rises above it."""
        for low, high in zip(self.low, self.high, strict=True):
            yield self._finite(-low)
            yield self._finite(high)
        yield self._finite(self.until)

    def _finite(self, at: Floats) -> tuple[Floats, Ints]:
        there = at < np.inf
        return at[there], self.rows[there]


class Side:
    """Bounds of one kind, sorted, with their rows. A cursor stands where the search last ended: bounds before
    it were named then, and now belong to other boxes. `next` is the first bound behind it."""

    __slots__ = ("_passed", "at", "next", "rows")

    def __init__(self, at: Floats, rows: Ints) -> None:
        self.at = at
        self.rows = rows
        self._pass(0)

    @classmethod
    def sorted(cls, at: Floats, rows: Ints) -> Self:
        order = at.argsort(kind="stable")
        return cls(at[order], rows[order])

    def broken(self, level: float) -> Ints:
        """A view of the rows whose bound lies before `level` and was not passed yet."""
        start = self._passed
        # Near the cursor first: a search through all of a long array waits for memory at each step.
        end = start + int(self.at[start : start + _NEAR].searchsorted(level))
        if end == start + _NEAR:
            end = int(self.at.searchsorted(level))
        self._pass(end)
        return self.rows[start:end]

    def _pass(self, end: int) -> None:
        self._passed = end
        self.next = float(self.at[end]) if end < len(self.at) else np.inf

    def joined(self, alive: NDArray[np.bool_], more: Side) -> Side:
        """Merge the bounds that are `alive` by row with more, in one order; none of them passed."""
        keep = alive[self.rows]
        at, rows = self.at[keep], self.rows[keep]
        places = at.searchsorted(more.at)
        return Side(np.insert(at, places, more.at), np.insert(rows, places, more.rows))


class Run:
    """The sides of many boxes. `count` is how many were put in, including those renewed since."""

    def __init__(self, sides: Sequence[Side], count: int) -> None:
        self.sides = sides
        self.count = count

    @classmethod
    def empty(cls, groups: int) -> Self:
        none = Fences(np.zeros(0, np.int32), np.zeros((groups, 0)), np.zeros((groups, 0)), np.zeros(0))
        return cls.of([none])

    @classmethod
    def of(cls, parts: Sequence[Fences]) -> Self:
        """A run of all these boxes; a row is in at most one of them."""
        sides = []
        for pieces in zip(*(part.sides() for part in parts), strict=True):
            at, rows = np.concatenate([a for a, _ in pieces]), np.concatenate([r for _, r in pieces])
            sides.append(Side.sorted(at, rows))
        return cls(sides, sum(len(part.rows) for part in parts))

    def broken(self, levels: Sequence[tuple[int, float]], clock: float) -> list[Ints]:
        """Views of the rows whose bounds these groups' levels or the clock passed since the last call, empty
        views left out; a row may be in several."""
        sides, found = self.sides, []
        if sides[-1].next < clock:
            found.append(sides[-1].broken(clock))
        for group, level in levels:
            low, high = sides[2 * group], sides[2 * group + 1]
            if low.next < -level:
                found.append(low.broken(-level))
            if high.next < level:
                found.append(high.broken(level))
        return found

    def joined(self, alive: NDArray[np.bool_], more: Run) -> Run:
        """Merge the boxes of rows that are `alive` with more."""
        sides = [mine.joined(alive, other) for mine, other in zip(self.sides, more.sides, strict=True)]
        return Run(sides, int(alive.sum()) + more.count)
