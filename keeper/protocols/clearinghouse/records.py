"""An account's record as `contracts/src/ClearinghouseLens.sol` packs it."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from keeper.margin.portfolio.clearinghouse.values import ClearingLeg, ClearingState

_START, _EACH_LEG = Struct(">16s16s32s5s20sB"), Struct(">Iq16s")
_HEAD, _AMOUNT, _LEG = _START.size, 16, _EACH_LEG.size
_from_bytes = int.from_bytes


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
    cash, due, index, called, owner, count = _START.unpack_from(record)
    amounts = record[_HEAD : _HEAD + _AMOUNT * count]
    legs = tuple(
        ClearingLeg(instrument, size, _from_bytes(cost, "big", signed=True))
        for instrument, size, cost in _EACH_LEG.iter_unpack(record[_HEAD + _AMOUNT * count + 1 :])
    )
    state = ClearingState(
        _from_bytes(cash, "big", signed=True),
        _from_bytes(due, "big"),
        _from_bytes(index, "big"),
        tuple(_from_bytes(amounts[at : at + _AMOUNT], "big") for at in range(0, len(amounts), _AMOUNT)),
        legs,
    )
    return ClearingAccount("0x" + owner.hex(), _from_bytes(called, "big"), state)
