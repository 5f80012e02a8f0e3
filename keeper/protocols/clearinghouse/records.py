"""An account's record as `contracts/src/ClearinghouseLens.sol` packs it."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.portfolio.clearinghouse.values import ClearingLeg, ClearingState

_HEAD, _AMOUNT, _LEG = 79, 16, 28


@dataclass(frozen=True, slots=True)
class ClearingAccount:
    """An account as stored, and since when it is called (Unix time; 0: it is not)."""

    owner: str
    called_at: int
    state: ClearingState


def length(data: bytes, at: int) -> int:
    """Bytes of the record that begins there; more than is left where it is cut off."""
    end = at + _HEAD
    if end > len(data):
        return _HEAD
    end += _AMOUNT * data[end - 1] + 1
    if end > len(data):
        return end - at
    return end + _LEG * data[end - 1] - at


def decode(record: bytes) -> ClearingAccount:
    end = _HEAD + _AMOUNT * record[_HEAD - 1]
    amounts = tuple(_number(record, at, 16) for at in range(_HEAD, end, _AMOUNT))
    legs = tuple(
        ClearingLeg(_number(record, at, 4), _signed(record, at + 4, 8), _signed(record, at + 12, 16))
        for at in range(end + 1, end + 1 + _LEG * record[end], _LEG)
    )
    state = ClearingState(
        _signed(record, 0, 16), _number(record, 16, 5), _number(record, 21, 32), amounts, legs
    )
    return ClearingAccount("0x" + record[58:78].hex(), _number(record, 53, 5), state)


def _number(record: bytes, at: int, size: int) -> int:
    return int.from_bytes(record[at : at + size], "big")


def _signed(record: bytes, at: int, size: int) -> int:
    return int.from_bytes(record[at : at + size], "big", signed=True)
