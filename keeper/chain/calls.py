"""Many contract reads in one `eth_call` at one block, through contracts that are never deployed.

The dispatcher (`contracts/src/Batch.sol`) and any lens are put into the call by state override. The
answer names the block it was computed in, so that a node that answers for another block is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.blocks import Head
from keeper.chain.node import WrongStateError
from keeper.chain.pool import NodePool
from keeper.contracts import runtime_code

BATCH_ADDRESS = "0x00000000000000000000000000000000ba7c0001"
_RUN = function_signature_to_4byte_selector("run((address,bytes)[])")
# More than any node grants: each caps it at its own limit.
GAS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One read: a contract and its calldata."""

    target: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call returned; `ok` False is a revert, with the revert data in `data`."""

    ok: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Lens:
    """A contract that is only ever called by state override: where, and its runtime code (0x hex)."""

    address: str
    code: str


def run(pool: NodePool, head: Head, calls: Sequence[Call], lenses: Iterable[Lens] = ()) -> list[Answer]:
    """All `calls` in one request, pinned to the head's hash; WrongStateError if another block answered."""
    if not calls:
        return []
    overrides = {BATCH_ADDRESS: {"code": runtime_code("Batch")}}
    overrides.update({lens.address: {"code": lens.code} for lens in lenses})
    data = _RUN + encode(["(address,bytes)[]"], [[(c.target, c.data) for c in calls]])
    result = pool.call(
        "eth_call",
        {"to": BATCH_ADDRESS, "data": "0x" + data.hex(), "gas": hex(GAS)},
        {"blockHash": head.hash},
        overrides,
    )
    number, timestamp, answers = decode(
        ["uint256", "uint256", "(bool,bytes)[]"], bytes.fromhex(result.removeprefix("0x"))
    )
    if (number, timestamp) != (head.number, head.timestamp):
        raise WrongStateError(
            f"answered a read of block {head.number} with the state of block {number}",
            where=f"chain {pool.name}",
        )
    return [Answer(ok, data) for ok, data in answers]
