"""What accounts hold, as sparse arrays, and the weight of a unit of it: the protocol-neutral half of
screening.

A *factor* is something that all accounts hold by the same measure: a collateral under one threshold, a debt
at one price, a position in one market. Its number is given by the protocol's adapter. An account's equity and
its maintenance are sums over its factors of amount times weight, apart from rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sparse:
    """Entries of many rows one after the other: row i has those from `starts[i]` to `starts[i + 1]`.

    `amounts` are the chain's integers as nearest floats, off by at most two parts in 2^53.
    """

    starts: Ints
    factors: Ints
    amounts: Floats

    @property
    def rows(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, slots=True)
class Entries:
    """Accounts in columns: `equity` may have amounts below zero, `maintenance` has none. `unbounded` marks
    rows that no sum of weights bounds: those are valued exactly."""

    factor_count: int
    equity: Sparse
    maintenance: Sparse
    unbounded: NDArray[np.bool_]


class EntryRows:
    """Entries of one side, collected row after row."""

    def __init__(self) -> None:
        self._starts, self._factors, self._amounts = [0], list[int](), list[float]()

    def add(self, factor: int, amount: int) -> None:
        """An entry of the present row; nothing where it is zero."""
        if amount:
            self._factors.append(factor)
            self._amounts.append(float(amount))

    def end(self) -> None:
        """The present row is complete."""
        self._starts.append(len(self._factors))

    def sparse(self) -> Sparse:
        """All rows so far."""
        starts = np.array(self._starts, np.int32)
        return Sparse(starts, np.array(self._factors, np.int32), np.array(self._amounts, np.float64))


def empty() -> Sparse:
    """The entries of no rows."""
    return Sparse(np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(0))


def one_a_row(factors: Ints, amounts: Floats) -> Sparse:
    """Entries with `amounts[i]` of `factors[i]` in row i, or nothing where that is not above zero."""
    there = amounts > 0
    starts = np.zeros(len(factors) + 1, np.int32)
    np.cumsum(there, out=starts[1:])
    return Sparse(starts, factors[there], amounts[there])
