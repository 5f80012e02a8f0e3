"""Accounts that may be below a threshold at a block: by the price index where it holds, else by a full
pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import structlog

from keeper.book.entries import Ints
from keeper.book.screening.bounds import HealthBounds, Screen
from keeper.book.screening.columns import Columns
from keeper.book.screening.index import FORESEEN, PriceIndex
from keeper.margin.lending.weights import Weights

log = structlog.get_logger()

# A pass over all compares itself with the index so often, in blocks.
CHECKED_EVERY = 256
# Below so many accounts a pass costs less than the index saves.
LEAST_ACCOUNTS = 20_000


class NearThreshold:
    """The screen and index of one market's columns. `passes` counts how often all accounts were valued."""

    def __init__(self, columns: Columns, least_accounts: int = LEAST_ACCOUNTS) -> None:
        self.columns = columns
        self.screen = Screen(columns)
        self.least_accounts = least_accounts
        self.index: PriceIndex | None = None
        self.passes = 0
        self.ticks = 0
        self._key: tuple[tuple[float, ...], bytes] | None = None

    def near(
        self, weights: Weights, changed: Iterable[int], thresholds: Sequence[float], groups: Ints | None
    ) -> HealthBounds:
        """Bounds of every row that may be below the highest of the thresholds, possibly with others.
        `changed` are rows whose stake changed since the last call. All accounts are valued where `groups` is
        None, and where time alone takes more than an index foresees."""
        highest = max(thresholds, default=0.0)
        self.ticks += 1
        found = None
        if groups is None or weights.drift > FORESEEN:
            self.index = None
        else:
            found = self._by_index(weights, changed, tuple(sorted(thresholds)), groups)
        if found is None:
            return self._all(weights, highest)
        if self.ticks % CHECKED_EVERY == 0:
            return self._checked(weights, highest, found)
        return found

    def _all(self, weights: Weights, highest: float) -> HealthBounds:
        self.passes += 1
        self.screen.run(weights)
        return self.screen.below(highest)

    def _by_index(
        self, weights: Weights, changed: Iterable[int], thresholds: tuple[float, ...], groups: Ints
    ) -> HealthBounds | None:
        """Use the index; where it has to be built anew, build it, and decide this once by a full pass."""
        if self.columns.row_count < self.least_accounts:
            self.index = None
            return None
        key = (thresholds, groups.tobytes())
        # Named rows are not named again: an index whose renewal failed must not be asked any more.
        index, self.index = self.index, None
        rows = index.candidates(weights) if index is not None and key == self._key else None
        if index is None or rows is None:
            self._build(weights, thresholds, groups)
            return None
        rows = np.union1d(rows, np.fromiter(changed, np.int64))
        if len(rows) > self.columns.row_count // 20:
            self._build(weights, thresholds, groups)
            return None
        index.renew(rows, weights)
        self.index = index
        near = np.flatnonzero(index.cell < len(thresholds))
        return self.screen.of(near, weights)

    def _build(self, weights: Weights, thresholds: tuple[float, ...], groups: Ints) -> None:
        self.index = PriceIndex(self.columns, groups, thresholds)
        self._key = (thresholds, groups.tobytes())
        self.index.build(weights)

    def _checked(self, weights: Weights, highest: float, found: HealthBounds) -> HealthBounds:
        """Decide by a full pass; rows that the index failed to name are logged, and the index is dropped."""
        everyone = self._all(weights, highest)
        missed = everyone.rows[~np.isin(everyone.rows, found.rows)]
        if len(missed):
            log.error("index missed accounts", rows=missed[:10].tolist(), count=len(missed))
            self.index = None
        return everyone
