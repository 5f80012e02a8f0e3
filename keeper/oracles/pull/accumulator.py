"""Pyth's accumulator updates split: many prices under one signature, each with a proof of its own.

"PNAU", major and minor version (a byte each), a further header (after its length in a byte), the kind of
update (0: a Merkle tree whose root Wormhole signed), the signed root (after its length in two bytes), the
number of prices (a byte); per price the message (after its length in two bytes) and the nodes of its proof
(after their number in a byte, 20 bytes each).

Source: `PythAccumulator.sol` and `MerkleTree.sol` of Pyth's contract for EVM chains.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from keeper.oracles.pull.judging import SignedPrice

_MAGIC = b"PNAU"
_VERSIONS, _MERKLE, _NODE = 3, 0, 20
_PRICE_MESSAGE = 0
# Kind, id, price, confidence, exponent, publish time, that of the price before, and two averages.
_MESSAGE = struct.Struct(">B32sqQiqqqQ")


@dataclass(frozen=True, slots=True)
class ProvenPrice:
    """A signed price, and an update that holds it alone."""

    price: SignedPrice
    update: bytes


def proven_prices(update: bytes) -> list[ProvenPrice]:
    """Each price of an update; none where it has another form. ValueError where it is cut off, or longer than
    its lengths say."""
    if not update.startswith(_MAGIC):
        return []
    reader = _Bytes(update)
    reader.take(len(_MAGIC) + _VERSIONS - 1)
    reader.take(reader.number(1))
    if reader.number(1) != _MERKLE:
        return []
    reader.take(reader.number(2))
    signed, found = update[: reader.at], []
    for _ in range(reader.number(1)):
        start = reader.at
        message = reader.take(reader.number(2))
        reader.take(reader.number(1) * _NODE)
        if len(message) >= _MESSAGE.size and message[0] == _PRICE_MESSAGE:
            whole = signed + b"\x01" + update[start : reader.at]
            found.append(ProvenPrice(_price(message), whole))
    if reader.at != len(update):
        raise ValueError("more follows than it tells of")
    return found


def _price(message: bytes) -> SignedPrice:
    _, identity, price, confidence, exponent, published, before, _, _ = _MESSAGE.unpack_from(message)
    return SignedPrice(identity, price, confidence, exponent, published, before)


class _Bytes:
    """Bytes read from the beginning."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def take(self, count: int) -> bytes:
        found = self._data[self.at : self.at + count]
        if len(found) != count:
            raise ValueError("it is cut off")
        self.at += count
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")
