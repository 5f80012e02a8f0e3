"""Many prices under one signature, each brought by itself, and read as it is signed."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.oracles.pull.accumulator import proven_prices
from keeper.oracles.pull.judging import SignedPrice

pytestmark = pytest.mark.unit

HEADER = b"PNAU\x01\x00\x02\xaa\xbb\x00"
ROOT = b"signed root"
ONE, OTHER = b"\x01" * 32, b"\x02" * 32


def message(identity: bytes, price: int = 3_000_000, time: int = 1_750_000_000) -> bytes:
    return struct.pack(">B32sqQiqqqQ", 0, identity, price, 150, -5, time, time - 1, price, 150)


def part(message: bytes, nodes: int = 3) -> bytes:
    proof = bytes(range(20 * nodes))
    return len(message).to_bytes(2, "big") + message + bytes([nodes]) + proof


def update(*parts: bytes) -> bytes:
    return HEADER + len(ROOT).to_bytes(2, "big") + ROOT + bytes([len(parts)]) + b"".join(parts)


def test_each_price_has_an_update_of_its_own_with_the_same_signature() -> None:
    first, second = part(message(ONE)), part(message(OTHER, -7), nodes=0)
    found = proven_prices(update(first, second))
    assert [each.price for each in found] == [
        SignedPrice(ONE, 3_000_000, 150, -5, 1_750_000_000, 1_749_999_999),
        SignedPrice(OTHER, -7, 150, -5, 1_750_000_000, 1_749_999_999),
    ]
    assert [each.update for each in found] == [update(first), update(second)]
    assert proven_prices(found[1].update) == [found[1]]


def test_other_messages_and_other_forms_are_left_alone() -> None:
    average = b"\x01" + message(OTHER)[1:]
    assert [each.price.id for each in proven_prices(update(part(average), part(message(ONE))))] == [ONE]
    assert proven_prices(b"") == [] and proven_prices(b"\x01\x02") == []
    assert proven_prices(HEADER[:-1] + b"\x07" + ROOT) == []


def test_what_is_cut_off_or_too_long_is_none() -> None:
    whole = update(part(message(ONE)), part(message(OTHER)))
    for length in range(4, len(whole)):
        with pytest.raises(ValueError, match="cut off"):
            proven_prices(whole[:length])
    with pytest.raises(ValueError, match="more follows"):
        proven_prices(whole + b"\x00")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(proven_prices(b"PNAU" + noise), list)
