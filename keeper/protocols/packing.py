"""The bytes a lens packs: cut into one record an account, and columns of at most one entry a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from keeper.book.entries import Floats, Ints, Sparse
from keeper.chain.calls import Answer
from keeper.errors import KeeperError

# The length of the record that begins at a place of the data; more than is left where it is cut off.
Length = Callable[[bytes, int], int]


def split(accounts: Sequence[str], answer: Answer, length: Length) -> dict[str, bytes]:
    """Each account's record; KeeperError when the lens failed, or its answer is shorter or longer."""
    if not answer.ok:
        raise KeeperError(
            f"the lens could not read these accounts (revert data 0x{answer.data.hex()[:200]})",
            where=f"{accounts[0]} and {len(accounts) - 1} others",
        )
    said = int.from_bytes(answer.data[32:64], "big")
    data = answer.data[64 : 64 + said]
    records: dict[str, bytes] = {}
    at = 0
    for account in accounts:
        end = at + length(data, at) if at < len(data) else len(data) + 1
        if end > len(data):
            break
        records[account] = bytes(data[at:end])
        at = end
    if at != said or len(records) != len(accounts):
        raise KeeperError(
            f"the lens answered {len(data)} bytes where {len(accounts)} accounts were asked for, of which "
            f"{len(records)} are whole",
            where=f"{accounts[0]} and others",
            remedy="The node may cut long answers: name another, or report it",
        )
    return records


def empty() -> Sparse:
    """The entries of no rows."""
    return Sparse(np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(0))


def one_a_row(legs: Ints, amounts: Floats) -> Sparse:
    """Row i has `amounts[i]` of `legs[i]`, or nothing where that is not above zero."""
    there = amounts > 0
    starts = np.zeros(len(legs) + 1, np.int32)
    np.cumsum(there, out=starts[1:])
    return Sparse(starts, legs[there], amounts[there])
