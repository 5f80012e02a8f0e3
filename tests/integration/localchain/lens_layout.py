"""The lens's packed accounts, decoded in the plainest way, to hold against the contracts' own answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RawPosition:
    reserve_id: int
    flags: int
    collateral: int
    debt: int
    stable: tuple[int, int, int] | None


@dataclass(frozen=True)
class RawAccount:
    emode: int
    configuration: int
    positions: tuple[RawPosition, ...]


def unpack(data: bytes) -> list[RawAccount]:
    """All accounts of an `accounts` answer; ValueError when bytes are missing or left."""
    accounts: list[RawAccount] = []
    at = 0

    def take(size: int) -> int:
        nonlocal at
        if at + size > len(data):
            raise ValueError(f"{len(data)} bytes end inside a field at {at}")
        at += size
        return int.from_bytes(data[at - size : at], "big")

    while at < len(data):
        emode, count, configuration = take(1), take(1), take(32)
        positions = []
        for _ in range(count):
            head = take(1), take(1), take(16), take(16)
            stable = (take(16), take(16), take(5)) if head[1] & 4 else None
            positions.append(RawPosition(*head, stable))
        accounts.append(RawAccount(emode, configuration, tuple(positions)))
    return accounts
