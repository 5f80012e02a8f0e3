"""An account's record as `contracts/src/CometLens.sol` packs it, and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.book.entries import Entries, Sparse, one_a_row

# Principal and count; then each collateral's place and balance.
_HEAD, _HELD = 17, 17
MOST_ASSETS = 32
BASE_FACTOR = MOST_ASSETS
FACTORS = MOST_ASSETS + 1


@dataclass(frozen=True, slots=True)
class Raw:
    """An account as stored: signed principal, and (place, balance) of each collateral held."""

    principal: int
    held: tuple[tuple[int, int], ...] = ()


def length(data: bytes, at: int) -> int:
    """Bytes of the record that begins there."""
    return _HEAD + _HELD * int.from_bytes(data[at + 16 : at + _HEAD], "big")


def decode(record: bytes) -> Raw:
    principal = int.from_bytes(record[:16], "big", signed=True)
    held = tuple(
        (record[at], int.from_bytes(record[at + 1 : at + _HELD], "big"))
        for at in range(_HEAD, len(record), _HELD)
    )
    return Raw(principal, held)


def entries(records: Sequence[bytes]) -> Entries:
    """Collaterals in a factor each, what is owed in the base factor."""
    places: list[int] = []
    amounts: list[float] = []
    counts, owed = [], []
    for record in records:
        raw = decode(record)
        counts.append(len(raw.held))
        places += [place for place, _ in raw.held]
        amounts += [float(balance) for _, balance in raw.held]
        owed.append(float(max(-raw.principal, 0)))
    starts = np.zeros(len(records) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    equity = Sparse(starts, np.array(places, np.int32), np.array(amounts, np.float64))
    maintenance = one_a_row(np.full(len(records), BASE_FACTOR, np.int32), np.array(owed, np.float64))
    return Entries(FACTORS, equity, maintenance, np.zeros(len(records), np.bool_))
