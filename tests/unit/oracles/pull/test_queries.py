"""What a reverting read asks for, in every form in which it is asked, and the answer to it."""

from __future__ import annotations

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector
from hypothesis import given
from hypothesis import strategies as st

from keeper.oracles.pull.queries import BENCHMARK, LATEST, OracleQuery, asked, fulfilment

pytestmark = pytest.mark.unit

ORACLE = "0x" + "ab" * 20
ONE, OTHER = b"\x01" * 32, b"\x02" * 32
REQUIRED = function_signature_to_4byte_selector("OracleDataRequired(address,bytes)")
ERRORS = function_signature_to_4byte_selector("Errors(bytes[])")


def required(query: bytes) -> bytes:
    return REQUIRED + encode(["address", "bytes"], [ORACLE, query])


def listed(kind: int, time: int, *ids: bytes) -> bytes:
    return required(encode(["uint8", "uint64", "bytes32[]"], [kind, time, list(ids)]))


def in_place(kind: int, time: int, identity: bytes) -> bytes:
    return required(encode(["uint8", "uint64", "bytes32"], [kind, time, identity]))


def several(*reasons: bytes) -> bytes:
    return ERRORS + encode(["bytes[]"], [list(reasons)])


def test_a_list_of_ids_and_one_in_place_are_both_read() -> None:
    assert asked(listed(LATEST, 60, ONE, OTHER)) == (OracleQuery(ORACLE, LATEST, 60, (ONE, OTHER)),)
    assert asked(in_place(BENCHMARK, 1_750_000_000, ONE)) == (
        OracleQuery(ORACLE, BENCHMARK, 1_750_000_000, (ONE,)),
    )


def test_several_at_once_are_read_once_each_however_deep_they_stand() -> None:
    stale = b"\x12\x34\x56\x78" + bytes(64)
    inner = several(listed(LATEST, 60, OTHER), listed(LATEST, 60, ONE))
    found = asked(several(b"", listed(LATEST, 60, ONE), stale, inner))
    assert [each.ids for each in found] == [(ONE,), (OTHER,)]
    deep = listed(LATEST, 60, ONE)
    for _ in range(9):
        deep = several(deep)
    assert asked(deep) == (), "nobody nests so deep but to wear us out"


@pytest.mark.parametrize(
    "revert",
    [
        b"",
        REQUIRED,
        b"\x08\xc3\x79\xa0" + encode(["string"], ["stale"]),
        listed(3, 60, ONE),
        listed(LATEST, 60),
        required(b"\x01"),
        listed(LATEST, 60, ONE)[:-40],
    ],
)
def test_whatever_else_a_read_reverts_with_asks_for_nothing(revert: bytes) -> None:
    assert asked(revert) == ()


@given(st.binary(max_size=300), st.sampled_from([b"", REQUIRED, ERRORS]))
def test_no_bytes_of_a_stranger_raise(noise: bytes, selector: bytes) -> None:
    assert isinstance(asked(selector + noise), tuple)


def test_the_answer_is_what_the_oracle_decodes() -> None:
    data = fulfilment(BENCHMARK, 1_750_000_000, [ONE], [b"signed", b"too"])
    assert data[:4] == function_signature_to_4byte_selector("fulfillOracleQuery(bytes)")
    [content] = decode(["bytes"], data[4:])
    found = decode(["uint8", "uint64", "bytes32[]", "bytes[]"], content)
    assert found == (BENCHMARK, 1_750_000_000, (ONE,), (b"signed", b"too"))
