"""Calls one after another in one `eth_call`, each as the signer: for nodes without `eth_simulateV1`.

Our code (`contracts/src/Rehearsal.sol`) is laid over the signer's own address by state override, so that
allowance, action and postcondition all come from there and see what the one before them did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.answers import BusyError, CannotError, RevertError
from keeper.chain.calldata import calldata
from keeper.chain.calls import GAS
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.contracts import runtime_code

_APPROVE = function_signature_to_4byte_selector("approve(address,uint256)")
_BALANCE_OF = function_signature_to_4byte_selector("balanceOf(address)")
_TRANSACTION_GAS = 21_000
_BYTE_GAS = 16
# EIP-7623: what a byte of calldata costs at least.
_FLOOR_BYTE_GAS = 40
# What the calls before it have warmed is cheaper here than in a transaction of its own.
COLD_GAS = 25_000
COLD_GAS_BEHIND_OTHERS = 250_000


def run(pool: NodePool, sender: str, calls: Sequence[dict[str, str]], timestamp: int) -> list[dict[str, Any]]:
    """Results of the calls at the latest state, in the form of `eth_simulateV1` but without logs.

    The block is one at `timestamp` where the node accepts that, else the latest. `gasUsed` is at least what
    the call would take as its own transaction. CannotError where no node accepts state overrides, or where a
    call has another sender.
    """
    if any(call["from"].lower() != sender.lower() for call in calls):
        what = "only eth_simulateV1 rehearses what others send first"
        raise CannotError(what, where=f"chain {pool.name}", about="method")
    steps = [(c["to"], int(c.get("value", "0x0"), 16), bytes.fromhex(c["data"][2:])) for c in calls]
    data = calldata("run((address,uint256,bytes)[])", steps)
    call = {"from": sender, "to": sender, "data": data, "gas": hex(GAS)}
    overrides = {sender: {"code": runtime_code("Rehearsal")}}

    def ask(node: Node) -> list[tuple[bool, int, bytes]]:
        try:
            answer = node.call("eth_call", [call, "latest", overrides, {"time": hex(timestamp)}])
        except (CannotError, RevertError):
            answer = node.call("eth_call", [call, "latest", overrides])
        return _decoded(str(answer), node.label)

    outcomes = pool.call_by(ask)
    return [
        {
            "status": hex(ok),
            "returnData": "0x" + result.hex(),
            "gasUsed": hex(_own_gas(gas, step[2], [each[2] for each in steps[:place]])),
        }
        for place, ((ok, gas, result), step) in enumerate(zip(outcomes, steps, strict=True))
    ]


def _decoded(answer: str, label: str) -> list[tuple[bool, int, bytes]]:
    if answer == "0x":
        raise CannotError("ignores state overrides", where=label, about="overrides")
    try:
        [outcomes] = decode(["(bool,uint256,bytes)[]"], bytes.fromhex(answer[2:]))
    except (DecodingError, ValueError):
        raise BusyError("answered a rehearsal with bytes that are not whole", where=label) from None
    return list(outcomes)


def _own_gas(within: int, data: bytes, before: Sequence[bytes]) -> int:
    """Gas of a transaction whose call took `within` behind calls with the data `before`, rounded up."""
    whole = _TRANSACTION_GAS + _BYTE_GAS * len(data) + within
    # A look at a balance warms next to nothing of what acts.
    before = [each for each in before if each[:4] != _BALANCE_OF]
    if before:
        # An approval warms a token; what acts has touched all that one like it touches.
        one_approval = len(before) == 1 and before[0][:4] == _APPROVE
        whole += COLD_GAS if one_approval else COLD_GAS_BEHIND_OTHERS
    return max(whole, _TRANSACTION_GAS + _FLOOR_BYTE_GAS * len(data))
