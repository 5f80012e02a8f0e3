"""Reads on top of a transaction that is in no block yet (`eth_simulateV1`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keeper.chain import calls
from keeper.chain.backrun import PendingUpdate
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.node import WrongStateError
from keeper.chain.pool import NodePool


@dataclass(frozen=True, slots=True)
class After:
    """Reads made right behind a pending transaction, in the same block, at `timestamp`; where the transaction
    reverts, nothing differs from before."""

    answers: Mapping[Call, Answer]
    timestamp: int


def read_after(
    pool: NodePool,
    head: Head,
    update: PendingUpdate,
    wanted: Sequence[Call],
    lenses: Iterable[Lens],
    timestamp: int,
) -> After:
    """Read behind `update` in a block on top of `head`, at `timestamp` or, where the node chooses its time
    itself, later. WrongStateError when another block was built upon; RpcError from a node without
    `eth_simulateV1`."""
    read, overrides = calls.behind(wanted, lenses, pool.code, head.prelude)
    first = {"from": update.sender, "to": update.target, "data": update.data, "value": hex(update.value)}
    block: dict[str, Any] = {
        "blockOverrides": {"time": hex(timestamp)},
        "stateOverrides": overrides,
        "calls": [first, read],
    }
    asked = {"blockStateCalls": [block], "validation": False}
    # Blocks named by hash are not understood everywhere here; what answers says which block it is.
    answer = pool.call("eth_simulateV1", asked, hex(head.number))
    _, found = answer[0]["calls"]
    returned = bytes.fromhex(found.get("returnData", "0x").removeprefix("0x"))
    number, at, answers = calls.decoded(returned, f"chain {pool.name}")
    made = [wanted[place] for place in calls.arranged(wanted, head.prelude)]
    if number not in (head.number, head.number + 1) or at < timestamp:
        raise WrongStateError(f"simulated block {number} on block {head.number}", where=f"chain {pool.name}")
    return After(dict(zip(made, answers, strict=True)), at)
