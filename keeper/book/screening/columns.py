"""All accounts' stakes as sparse matrices, kept beside the records: rows are accounts, columns factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from keeper.book.entries import Entries, Floats, Ints

BLOCK_ROWS = 1 << 16
"""Rows per block: intermediate results then fit the processor's cache."""
_TAIL_ROWS = 1 << 12
_MOST_SMALL = 32
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Held:
    """Entries of some rows one by one: owner (a place among those asked for), factor, amount."""

    owners: NDArray[np.int64]
    factors: Ints
    amounts: Floats

    def by_sign(self) -> tuple[Held, Held]:
        """The entries above zero, and those below zero with their sign reversed."""
        above = self.amounts > 0
        return self._only(above, self.amounts), self._only(~above, -self.amounts)

    def _only(self, which: NDArray[np.bool_], amounts: Floats) -> Held:
        return Held(self.owners[which], self.factors[which], amounts[which])

    def weighed(self, weights: Floats, rows: int) -> Floats:
        """Sum of amount times weight for each of the `rows` places."""
        sums = np.bincount(self.owners, self.amounts * weights[self.factors], minlength=rows)
        return sums.astype(np.float64, copy=False)

    def gross(self, weights: Floats, rows: int) -> Floats:
        """As `weighed`, of the amounts without their signs."""
        return Held(self.owners, self.factors, np.abs(self.amounts)).weighed(weights, rows)

    def weighed_by_group(self, weights: Floats, rows: int, groups: Ints, count: int) -> Floats:
        """The sums of amount times weight by group of factors: an array of rows × groups."""
        cells = self.owners * count + groups[self.factors]
        sums = np.bincount(cells, self.amounts * weights[self.factors], minlength=rows * count)
        return sums.astype(np.float64, copy=False).reshape(rows, count)


@dataclass(slots=True)
class ColumnBlock:
    """A block of rows: the rows' numbers, and their entries on both sides. `rows` has -1 for a row that moved
    to another block; its entries do not count."""

    rows: Ints
    equity: csr_array
    maintenance: csr_array

    def __len__(self) -> int:
        return len(self.rows)

    def held(self) -> tuple[Held, Held]:
        """The entries of all its rows, in their order."""
        places = np.arange(len(self.rows))
        return _held(self.equity, places, places), _held(self.maintenance, places, places)


class Columns:
    """Columns kept up to date with a list of records. A row that outgrows its place moves to a block at the
    end; now and then all blocks are laid out anew."""

    def __init__(self, entries: Callable[[Sequence[bytes]], Entries]) -> None:
        self._entries = entries
        self.blocks: list[ColumnBlock] = []
        self.unbounded: set[int] = set()
        self.factors: set[int] = set()
        self.depth = 0
        """The most entries that one row has, or had since all blocks were laid out."""
        self.signed = False
        """Whether any row has equity below zero in a factor, or had since all was laid out."""
        self._block = np.zeros(0, np.int32)
        self._place = np.zeros(0, np.int32)

    def __len__(self) -> int:
        return sum(len(block) for block in self.blocks)

    @property
    def row_count(self) -> int:
        """The number of rows, whatever places they take."""
        return len(self._block)

    def update(self, changed: Iterable[int], records: Sequence[bytes]) -> None:
        """Update the changed rows from their records; rows beyond those known are new."""
        rows = sorted(changed)
        if len(rows) * 4 > len(self._block) or len(self.blocks) > len(records) // BLOCK_ROWS + _MOST_SMALL:
            self._lay_out(records)
            return
        self._reserve(len(records))
        found = self._entries([records[row] for row in rows])
        self._note(found, rows)
        moving = [number for number, row in enumerate(rows) if not self._replace(row, found, number)]
        if moving:
            fresh = _matrices(found)
            self._append([rows[number] for number in moving], fresh[0][moving], fresh[1][moving])

    def rows_with(self, factors: Iterable[int]) -> set[int]:
        """The rows that have any of these factors."""
        wanted = np.fromiter(factors, np.int32)
        found: set[int] = set()
        if not len(wanted):
            return found
        for block in self.blocks:
            for matrix in (block.equity, block.maintenance):
                hit = np.isin(matrix.indices, wanted) & (matrix.data != 0)
                owners = np.searchsorted(matrix.indptr, np.flatnonzero(hit), side="right") - 1
                found.update(block.rows[owners].tolist())
        found.discard(_NOWHERE)
        return found

    def of(self, rows: NDArray[np.int64]) -> tuple[Held, Held]:
        """The rows' entries on the side of equity and on that of maintenance."""
        block, place = self._block[rows], self._place[rows]
        by_block = block.argsort(kind="stable")
        bounds = block[by_block].searchsorted(np.arange(len(self.blocks) + 1)).tolist()
        sides: tuple[list[Held], list[Held]] = ([], [])
        for number, there in enumerate(self.blocks):
            mine = by_block[bounds[number] : bounds[number + 1]]
            if len(mine):
                sides[0].append(_held(there.equity, mine, place[mine]))
                sides[1].append(_held(there.maintenance, mine, place[mine]))
        return _together(sides[0]), _together(sides[1])

    def _lay_out(self, records: Sequence[bytes]) -> None:
        self.blocks, self.unbounded, self.factors, self.depth = [], set(), set(), 0
        self.signed = False
        self._block = np.full(len(records), _NOWHERE, np.int32)
        self._place = np.zeros(len(records), np.int32)
        for first in range(0, len(records), BLOCK_ROWS):
            found = self._entries(records[first : first + BLOCK_ROWS])
            rows = range(first, first + found.equity.rows)
            self._note(found, rows)
            self._append(rows, *_matrices(found))

    def _reserve(self, rows: int) -> None:
        """Make room for row numbers up to `rows`."""
        more = rows - len(self._block)
        if more > 0:
            self._block = np.concatenate([self._block, np.full(more, _NOWHERE, np.int32)])
            self._place = np.concatenate([self._place, np.zeros(more, np.int32)])

    def _note(self, found: Entries, rows: Sequence[int]) -> None:
        for side in (found.equity, found.maintenance):
            self.factors.update(np.unique(side.factors).tolist())
            if side.rows:
                self.depth = max(self.depth, int(np.diff(side.starts).max()))
        self.signed = self.signed or bool((found.equity.amounts < 0).any())
        self.unbounded.difference_update(rows)
        self.unbounded.update(rows[number] for number in np.flatnonzero(found.unbounded).tolist())

    def _replace(self, row: int, found: Entries, number: int) -> bool:
        """Write a row where it stands; returns False, and empties it there, where it does not fit."""
        if self._block[row] == _NOWHERE:
            return False
        block, place = self.blocks[self._block[row]], int(self._place[row])
        sides = ((block.equity, found.equity), (block.maintenance, found.maintenance))
        fits = all(
            side.starts[number + 1] - side.starts[number] <= matrix.indptr[place + 1] - matrix.indptr[place]
            for matrix, side in sides
        )
        for matrix, side in sides:
            start, end = int(matrix.indptr[place]), int(matrix.indptr[place + 1])
            matrix.data[start:end] = 0.0
            if fits:
                first, last = int(side.starts[number]), int(side.starts[number + 1])
                matrix.data[start : start + last - first] = side.amounts[first:last]
                matrix.indices[start : start + last - first] = side.factors[first:last]
        if not fits:
            block.rows[place] = _NOWHERE
        return fits

    def _append(self, rows: Sequence[int], equity: csr_array, maintenance: csr_array) -> None:
        numbers = np.fromiter(rows, np.int32, len(rows))
        fresh = ColumnBlock(numbers, equity, maintenance)
        last = self.blocks[-1] if self.blocks else None
        if last is not None and len(last) + len(fresh) <= _TAIL_ROWS:
            start = len(last)
            last.rows = np.concatenate([last.rows, numbers])
            last.equity = vstack([last.equity, fresh.equity], "csr")
            last.maintenance = vstack([last.maintenance, fresh.maintenance], "csr")
        else:
            start = 0
            self.blocks.append(fresh)
        self._block[numbers] = len(self.blocks) - 1
        self._place[numbers] = np.arange(start, start + len(numbers), dtype=np.int32)


def _held(matrix: csr_array, owners: NDArray[np.int64], places: NDArray[np.integer]) -> Held:
    """The entries of these places of one block's matrix."""
    starts = matrix.indptr[places]
    counts = matrix.indptr[places + 1] - starts
    at = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return Held(np.repeat(owners, counts), matrix.indices[at], matrix.data[at])


def _together(parts: Sequence[Held]) -> Held:
    if not parts:
        return Held(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0))
    return Held(
        np.concatenate([part.owners for part in parts]),
        np.concatenate([part.factors for part in parts]),
        np.concatenate([part.amounts for part in parts]),
    )


def _matrices(found: Entries) -> tuple[csr_array, csr_array]:
    """Both sides as matrices of all factors."""
    equity, maintenance = (
        csr_array((side.amounts, side.factors, side.starts), shape=(side.rows, found.factor_count))
        for side in (found.equity, found.maintenance)
    )
    return equity, maintenance
