"""An account's record as `contracts/src/AaveV3Lens.sol` packs it: split, decoded, turned into columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Entries, Sparse, empty
from keeper.margin.lending.aave import bounds
from keeper.margin.lending.aave.state import AccountState, Position

# The head of a record and each of its positions take 34 bytes; stable debt takes 37 more.
_HEAD = _POSITION = 34
_STABLE_MORE = 37
_COLLATERAL, _BORROWED, _STABLE = 1, 2, 4
# Sums are made of 32-bit limbs as floats, exact up to 2^53: so many terms at most.
_SUMMED_AT_ONCE = 1 << 20
_FEW = 100


def length(data: bytes, at: int) -> int:
    """Bytes of the record that begins there."""
    end = at + _HEAD
    for _ in range(data[at + 1] if at + 1 < len(data) else 0):
        stable = end + 1 < len(data) and data[end + 1] & _STABLE
        end += _POSITION + (_STABLE_MORE if stable else 0)
    return end - at


def decode(record: bytes) -> AccountState:
    """One account's raw state."""
    number = int.from_bytes
    return AccountState(record[0], number(record[2:34], "big"), tuple(_positions(record)))


def _positions(record: bytes) -> Iterator[Position]:
    number = int.from_bytes
    at = _HEAD
    while at < len(record):
        collateral = number(record[at + 2 : at + 18], "big")
        debt = number(record[at + 18 : at + 34], "big")
        if record[at + 1] & _STABLE:
            end = at + _POSITION
            principal = number(record[end : end + 16], "big")
            rate = number(record[end + 16 : end + 32], "big")
            since = number(record[end + 32 : end + 37], "big")
            yield Position(record[at], collateral, debt, principal, rate, since)
            at = end + _STABLE_MORE
        else:
            yield Position(record[at], collateral, debt)
            at += _POSITION


@dataclass(frozen=True, slots=True)
class _Table:
    """All positions of the records without stable debt, one entry each; `odd` are the other rows."""

    row: NDArray[np.int64]
    reserve: NDArray[np.int64]
    category: NDArray[np.int64]
    collateral: NDArray[np.uint32]
    debt: NDArray[np.uint32]
    odd: NDArray[np.bool_]


def _table(records: Sequence[bytes]) -> _Table:
    """Positions of the records, with amounts as four 32-bit limbs each, the highest first."""
    data = np.frombuffer(b"".join(records), np.uint8)
    lengths = np.fromiter(map(len, records), np.int64, len(records))
    starts = np.cumsum(lengths) - lengths
    counts = data[starts + 1].astype(np.int64)
    odd = lengths != _HEAD + _POSITION * counts
    counts[odd] = 0
    row = np.repeat(np.arange(len(records)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = starts[row] + _HEAD + _POSITION * place
    words = data[at[:, None] + np.arange(_POSITION)]
    limbs = np.ascontiguousarray(words[:, 2:]).view(">u4").reshape(len(row), 8)
    return _Table(
        row, words[:, 0].astype(np.int64), data[starts[row]].astype(np.int64), limbs[:, :4], limbs[:, 4:], odd
    )


def _amounts(limbs: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Limbs as floats: two exact halves below 2^64 each rounded once, their sum once more."""
    high = (limbs[:, 0].astype(np.uint64) << np.uint64(32)) | limbs[:, 1]
    low = (limbs[:, 2].astype(np.uint64) << np.uint64(32)) | limbs[:, 3]
    return high.astype(np.float64) * 2.0**64 + low.astype(np.float64)


def entries(records: Sequence[bytes]) -> Entries:
    """Columns of the records. Stable debt grows at a rate of the account's own: such rows are unbounded."""
    if not records:
        return Entries(bounds.FACTORS, empty(), empty(), np.zeros(0, np.bool_))
    table = _table(records)
    factors = table.reserve + bounds.RESERVES * table.category
    return Entries(
        bounds.FACTORS,
        _sparse(len(records), table.row, factors, _amounts(table.collateral)),
        _sparse(len(records), table.row, factors, _amounts(table.debt)),
        table.odd,
    )


def _sparse(
    rows: int, row: NDArray[np.int64], factors: NDArray[np.int64], amounts: NDArray[np.float64]
) -> Sparse:
    there = amounts > 0
    counts = np.bincount(row[there], minlength=rows)
    starts = np.zeros(rows + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    return Sparse(starts, factors[there].astype(np.int32), amounts[there])


def sums(records: Sequence[bytes]) -> Mapping[str, int]:
    """Scaled collateral and scaled variable debt of all records together, by reserve, exactly."""
    found: Counter[str] = Counter()
    if len(records) < _FEW:
        for record in records:
            _add(found, record)
        return found
    for first in range(0, len(records), _SUMMED_AT_ONCE // 32):
        table = _table(records[first : first + _SUMMED_AT_ONCE // 32])
        for name, limbs in (("collateral", table.collateral), ("debt", table.debt)):
            total = [0] * bounds.RESERVES
            for limb in range(4):
                part = np.bincount(table.reserve, limbs[:, limb], minlength=bounds.RESERVES)
                total = [
                    (before << 32) + int(more) for before, more in zip(total, part.tolist(), strict=False)
                ]
            found.update({f"{name}:{i}": amount for i, amount in enumerate(total) if amount})
        for odd in np.flatnonzero(table.odd):
            _add(found, records[first + int(odd)])
    return found


def _add(found: Counter[str], record: bytes) -> None:
    for position in decode(record).positions:
        found[f"collateral:{position.reserve_id}"] += position.scaled_collateral
        found[f"debt:{position.reserve_id}"] += position.scaled_debt
