"""The dispatcher carries many reads at one block, and one bad read spoils no other."""

from __future__ import annotations

import pytest

from keeper.contracts import runtime_code
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.rpc import as_dict, as_int
from tests.support.state_override import BATCH_ADDRESS, call_with_code

pytestmark = pytest.mark.integration

ANSWERS = "0x000000000000000000000000000000000000a001"
REVERTS = "0x000000000000000000000000000000000000a002"
BURNS = "0x000000000000000000000000000000000000a003"
EMPTY = "0x000000000000000000000000000000000000a004"
LONG = "0x000000000000000000000000000000000000a006"
WRITES = "0x000000000000000000000000000000000000a005"
CODE = {
    BATCH_ADDRESS: runtime_code("Batch"),
    # Copies its call data back.
    ANSWERS: "0x3660006000373660" + "00" + "f3",
    # Reverts with the word 7.
    REVERTS: "0x600760005260206000fd",
    # INVALID: burns all gas it was given.
    BURNS: "0xfe",
    # Returns as many bytes as the call data's first word says.
    LONG: "0x60003560" + "00f3",
    # SSTORE, which a static call forbids.
    WRITES: "0x6001600055",
}


def _run(anvil: Anvil, *calls: tuple[str, bytes], gas: int = 30_000_000) -> tuple[object, ...]:
    number, timestamp, results = _limited(anvil, *((target, 0, data) for target, data in calls), gas=gas)
    return number, timestamp, tuple((ok, data) for ok, _, data in results)


def _limited(
    anvil: Anvil, *calls: tuple[str, int, bytes], gas: int = 30_000_000
) -> tuple[int, int, tuple[tuple[bool, bool, bytes], ...]]:
    data = calldata("run((address,uint256,bytes)[])", list(calls))
    answer = call_with_code(anvil.rpc, BATCH_ADDRESS, data, CODE, gas=gas)
    number, timestamp, results = decoded(["uint256", "uint256", "(bool,bool,bytes)[]"], answer)
    return number, timestamp, results  # type: ignore[return-value]  # as the types above say


def test_names_the_block_it_read(anvil: Anvil) -> None:
    anvil.mine(3)
    block = as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))
    assert _run(anvil) == (as_int(block["number"]), as_int(block["timestamp"]), ())


def test_failing_calls_do_not_fail_the_others(anvil: Anvil) -> None:
    calls = [(ANSWERS, b"one"), (REVERTS, b""), (EMPTY, b"xy"), (WRITES, b""), (ANSWERS, b"")]
    expected = ((True, b"one"), (False, (7).to_bytes(32, "big")), (False, b""), (False, b""), (True, b""))
    assert _run(anvil, *calls)[2] == expected


def test_calls_that_burn_their_gas_leave_enough_for_the_rest(anvil: Anvil) -> None:
    calls = [(BURNS, b""), (ANSWERS, b"a"), (BURNS, b""), (ANSWERS, b"b")]
    expected = ((False, b""), (True, b"a"), (False, b""), (True, b"b"))
    assert _run(anvil, *calls)[2] == expected


def test_large_answers_come_whole(anvil: Anvil) -> None:
    body = bytes(range(256)) * 400
    assert _run(anvil, (ANSWERS, body), (ANSWERS, body[1:]))[2] == ((True, body), (True, body[1:]))


def test_a_call_with_gas_of_its_own_takes_no_more(anvil: Anvil) -> None:
    """Forty that burn all they are given leave what is behind them whole, however little the node grants."""
    calls = [*((BURNS, 100_000, b""),) * 40, (ANSWERS, 0, b"x")]
    results = _limited(anvil, *calls, gas=6_000_000)[2]
    assert results == (*((False, False, b""),) * 40, (True, False, b"x"))


def test_a_stranger_that_answers_megabytes_is_not_ok_and_costs_no_other(anvil: Anvil) -> None:
    word = (10_000_000).to_bytes(32, "big")
    small = (16_384).to_bytes(32, "big")
    calls = [(LONG, 100_000, word), (LONG, 400_000, (200_000).to_bytes(32, "big")), (LONG, 100_000, small)]
    long, longer, fits = _limited(anvil, *calls, (ANSWERS, 0, b"x"))[2][:3]
    assert (long, longer) == ((False, False, b""), (False, False, b""))
    assert fits == (True, False, bytes(16_384))


def test_what_failed_for_want_of_gas_that_others_took_is_marked(anvil: Anvil) -> None:
    """The first call had all there was: its failure is its own. Who comes later may not have had enough."""
    calls = [(BURNS, 0, b""), (BURNS, 0, b""), (REVERTS, 0, b""), (BURNS, 1_000, b""), (BURNS, 10**9, b"")]
    marks = [(ok, starved) for ok, starved, _ in _limited(anvil, *calls)[2]]
    assert marks == [(False, False), (False, True), (False, False), (False, False), (False, True)]


def test_arbitrum_is_asked_for_its_own_block_number(anvil: Anvil) -> None:
    """There `block.number` is the parent chain's; whatever else lies at that address changes nothing."""
    arb_sys = "0x" + "0" * 38 + "64"
    answers_7 = "0x600760005260206000f3"
    for code, expected in ((answers_7, 7), ("0xfe", None), ("0x60076000526001600ff3", None)):
        data = calldata("run((address,uint256,bytes)[])", [])
        answer = call_with_code(anvil.rpc, BATCH_ADDRESS, data, {**CODE, arb_sys: code}, gas=30_000_000)
        number = decoded(["uint256", "uint256", "(bool,bool,bytes)[]"], answer)[0]
        assert number == (anvil.block_number() if expected is None else expected)
