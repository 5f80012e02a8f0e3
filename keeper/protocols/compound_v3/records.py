"""An account's record as `contracts/src/CometLens.sol` packs it, and its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keeper.book.entries import Entries, Floats, Ints, Sparse
from keeper.chain.calls import Answer
from keeper.errors import KeeperError

# Principal and count; then each collateral's place and balance.
_HEAD, _HELD = 17, 17
MOST_ASSETS = 32
BASE_LEG = MOST_ASSETS
LEGS = MOST_ASSETS + 1


def split(accounts: Sequence[str], answer: Answer) -> dict[str, bytes]:
    """Each account's record; KeeperError when the lens failed or its answer is not whole."""
    length = int.from_bytes(answer.data[32:64], "big") if answer.ok else 0
    data = answer.data[64 : 64 + length]
    records: dict[str, bytes] = {}
    at = 0
    for account in accounts:
        if at + _HEAD > len(data):
            break
        end = at + _HEAD + _HELD * data[at + 16]
        records[account] = bytes(data[at:end])
        at = end
    if at != len(data) or len(data) != length or len(records) != len(accounts):
        raise KeeperError(
            f"the lens answered {len(data)} bytes: {len(records)} of {len(accounts)} accounts are whole",
            where=f"{accounts[0]} and others",
            remedy="The node may cut long answers: name another, or report it",
        )
    return records


def decode(record: bytes) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Signed principal, and (place, balance) of each collateral held."""
    principal = int.from_bytes(record[:16], "big", signed=True)
    held = tuple(
        (record[at], int.from_bytes(record[at + 1 : at + _HELD], "big"))
        for at in range(_HEAD, len(record), _HELD)
    )
    return principal, held


def entries(records: Sequence[bytes]) -> Entries:
    """Collaterals in a leg each, what is owed in the base leg."""
    held: list[tuple[int, ...]] = []
    amounts: list[float] = []
    counts, owed = [], []
    for record in records:
        principal, some = decode(record)
        counts.append(len(some))
        held += [(place,) for place, _ in some]
        amounts += [float(balance) for _, balance in some]
        owed.append(float(-principal) if principal < 0 else 0.0)
    starts = np.zeros(len(records) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    power = Sparse(starts, np.array(held, np.int32).reshape(-1), np.array(amounts, np.float64))
    return Entries(LEGS, power, _owed(np.array(owed)), np.zeros(len(records), np.bool_))


def _owed(amounts: Floats) -> Sparse:
    there = amounts > 0
    starts = np.zeros(len(amounts) + 1, np.int32)
    np.cumsum(there, out=starts[1:])
    legs: Ints = np.full(int(there.sum()), BASE_LEG, np.int32)
    return Sparse(starts, legs, amounts[there])
