"""Bounds of every account's health, from its value in all scenarios."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keeper.book.screening.bounds import HealthBounds
from keeper.margin.interface import Array
from keeper.margin.portfolio.clearinghouse.screening import (
    AccountArrays,
    ScreenedAccounts,
    arrays,
    screened,
)
from keeper.margin.portfolio.clearinghouse.values import ClearingState
from keeper.protocols.clearinghouse import records
from keeper.protocols.clearinghouse.valuing import Moment


class AccountCopies:
    """All accounts as arrays, made anew only where a record or the instruments have changed."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._states: list[ClearingState] = []
        self._numbers: tuple[int, ...] = ()
        self._arrays: AccountArrays | None = None

    def of(self, moment: Moment, found: Sequence[bytes]) -> AccountArrays:
        """The accounts of these records, by row."""
        numbers = moment.maintenance.table.numbers
        is_same = self._arrays is not None and numbers == self._numbers and len(found) == len(self._records)
        for row, record in enumerate(found):
            if row == len(self._records):
                self._records.append(record)
                self._states.append(records.decode(record).state)
            elif self._records[row] is not record:
                self._records[row], self._states[row] = record, records.decode(record).state
                is_same = False
        if self._arrays is None or not is_same:
            tokens = len(moment.state.collaterals)
            self._arrays = arrays(self._states, moment.instruments, numbers, tokens)
            self._numbers = numbers
        return self._arrays


def health_bounds(moments: Sequence[Moment], copies: AccountCopies, found: Sequence[bytes]) -> HealthBounds:
    """Bounds that hold at each of these moments, of all rows. Infinite where nothing is required."""
    both = [_bounds(screened(copies.of(each, found), each.maintenance)) for each in moments]
    low = np.minimum.reduce([low for low, _, _ in both])
    high = np.maximum.reduce([high for _, high, _ in both])
    return HealthBounds(np.arange(len(found)), low, high, both[0][2])


def _bounds(found: ScreenedAccounts) -> tuple[Array, Array, Array]:
    """Health is equity over equity less the least value; both may be off by the same error."""
    least, error = found.values.min(axis=1), found.error
    maintenance = found.equity - least
    most, fewest = maintenance + 2 * error, maintenance - 2 * error
    with np.errstate(divide="ignore", invalid="ignore"):
        least_equity, most_equity = found.equity - error, found.equity + error
        low = np.where(most <= 0, np.inf, least_equity / np.where(least_equity < 0, fewest, most))
        high = np.where(fewest <= 0, np.inf, most_equity / np.where(most_equity < 0, most, fewest))
    # What is smaller than its error bounds nothing; neither does a sign that is not certain.
    unsure = (fewest <= 0) & (most > 0) | ~np.isfinite(error)
    low = np.where(unsure, -np.inf, low - np.abs(low) * 1e-12)
    high = np.where(unsure, np.inf, high + np.abs(high) * 1e-12)
    return low, high, np.maximum(maintenance, 0.0)
