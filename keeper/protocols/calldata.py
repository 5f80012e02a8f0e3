"""Calldata from a function's signature, and an answer's words."""

from __future__ import annotations

from keeper.chain.calldata import encoded as encoded


def words(data: bytes) -> list[int]:
    """An answer as unsigned 32-byte words; what is left over at its end is ignored."""
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data) - 31, 32)]
