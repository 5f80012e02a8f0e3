"""The dispatcher carries many reads at one block, and one bad read spoils no other."""

from __future__ import annotations

import pytest

from keeper.contracts import runtime_code
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.state_override import BATCH_ADDRESS, call_with_code

pytestmark = pytest.mark.integration

ANSWERS = "0x000000000000000000000000000000000000a001"
REVERTS = "0x000000000000000000000000000000000000a002"
BURNS = "0x000000000000000000000000000000000000a003"
EMPTY = "0x000000000000000000000000000000000000a004"
WRITES = "0x000000000000000000000000000000000000a005"
CODE = {
    BATCH_ADDRESS: runtime_code("Batch"),
    # Copies its call data back.
    ANSWERS: "0x3660006000373660" + "00" + "f3",
    # Reverts with the word 7.
    REVERTS: "0x600760005260206000fd",
    # INVALID: burns all gas it was given.
    BURNS: "0xfe",
    # SSTORE, which a static call forbids.
    WRITES: "0x6001600055",
}


def _run(anvil: Anvil, *calls: tuple[str, bytes], gas: int = 30_000_000) -> tuple[object, ...]:
    data = calldata("run((address,bytes)[])", list(calls))
    answer = call_with_code(anvil.rpc, BATCH_ADDRESS, data, CODE, gas=gas)
    return decoded(["uint256", "uint256", "(bool,bytes)[]"], answer)


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
