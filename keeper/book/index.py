"""Which accounts a price tick can matter to: for each, the box of prices in which it certainly stays where it is.

Prices are grouped by the leaf feed behind them, so that one ETH/USD tick moves every derivative of it: a
group's *level* is what its first asset costs now over what it cost when the index was built. What moves a
weight apart from its group's level (interest, a derivative's own ratio, thresholds) adds to a *clock* that only
runs forward; each account's box expires at a time of that clock. Derivation: docs/SCREENING.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book.columns import Columns
from keeper.book.entries import Floats, Ints
from keeper.book.screening import Screen, Widening
from keeper.margin.lending.weights import Weights

# Of the room that an account has, in logarithms, so much is for the clock, at most so much of it.
_CLOCK_SHARE = 0.25
_MOST_CLOCK = 0.01
# Boxes made anew since the index was built; beyond, it is built again.
MOST_MADE_ANEW = 1 << 13

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Boxes:
    """For some rows: the levels of each group between which they stay (rows × groups), the clock's time until
    then. A row without any room has an empty box and is a candidate at every tick."""

    low: Floats
    high: Floats
    until: Floats


class PriceIndex:
    """Candidates for exact valuation at a tick, without a look at the others.

    `levels` are health thresholds as floats, ascending: an account is certain while it stays between the two
    next to it. `groups` names the group of each leg; legs of no group (-1) move only the clock.
    """

    def __init__(self, columns: Columns, groups: Ints, thresholds: Sequence[float]) -> None:
        self.columns = columns
        self.groups = groups
        self.count = int(groups.max(initial=-1)) + 1
        self.thresholds = np.array(sorted(thresholds))
        self.built = 0

    def build(self, weights: Weights, screen: Screen) -> None:
        """Boxes of all rows around these weights."""
        self._weights = self._seen = weights
        self.clock = 0.0
        self.levels = np.ones(self.count)
        rows = np.arange(len(self.columns._block), dtype=np.int64)
        boxes = self._boxes(rows, weights)
        self._row_stale = np.zeros(len(rows), np.bool_)
        order = [np.argsort(-boxes.low[:, g], kind="stable") for g in range(self.count)]
        self._low = [(boxes.low[o, g], rows[o]) for g, o in enumerate(order)]
        order = [np.argsort(boxes.high[:, g], kind="stable") for g in range(self.count)]
        self._high = [(boxes.high[o, g], rows[o]) for g, o in enumerate(order)]
        late = np.argsort(boxes.until, kind="stable")
        self._until = (boxes.until[late], rows[late])
        self._fresh_rows = np.zeros(0, np.int64)
        self.built += 1
