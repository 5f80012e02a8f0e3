"""Sources that name no inputs: classified by their code, and by the contracts they call when they answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keeper.chain.blocks import Head
from keeper.chain.calldata import calldata
from keeper.chain.node import NodeError, RpcError
from keeper.chain.pool import NodePool
from keeper.oracles.constancy import Constancy, constancy
from keeper.oracles.shapes import Found

# More than any adapter calls; a source that calls more is not understood.
MOST_CALLED = 24
ADDRESS_DIGITS = 42


def look_into(pool: NodePool, head: Head, address: str, found: Found) -> Found:
    """The same source as fixed, where its code can give no other answer, or as derived from the contracts it
    calls. Unchanged where a node does not answer (it may not offer access lists)."""
    changes = _constancy(pool, head, address)
    if changes != "moving":
        note = (
            "always the same, by its code" if changes == "constant" else "moves with time alone, by its code"
        )
        note = found.note if found.kind == "fixed" else note
        return replace(found, kind="fixed", note=note, emitter="", is_constant=True)
    called = _called(pool, head, address, found.question)
    if called is None:
        return found
    if not called:
        # Not a word of state was read: no code that could move was proved to be absent, none was met.
        note = found.note if found.kind == "fixed" else "reads nothing when it answers"
        return replace(found, kind="fixed", note=note, emitter="")
    if called == (address,):
        return found
    called = tuple(each for each in called if each != address)
    note = "rests on what it calls when it answers"
    return replace(found, kind="derived", maybe=called, note=note, emitter="", instead=found.kind)


def _constancy(pool: NodePool, head: Head, address: str) -> Constancy:
    try:
        code = str(pool.call("eth_getCode", address, hex(head.number)))
        return constancy(bytes.fromhex(code.removeprefix("0x")))
    except (RpcError, NodeError, ValueError):
        return "moving"


def _called(pool: NodePool, head: Head, address: str, question: str) -> tuple[str, ...] | None:
    """The contracts whose state the source reads when asked for its price, including its own; None where the
    node does not answer, or names too many."""
    data = calldata(question)
    try:
        answer: Any = pool.call("eth_createAccessList", {"to": address, "data": data}, hex(head.number))
    except (RpcError, NodeError):
        return None
    entries = answer.get("accessList") if isinstance(answer, dict) else None
    if not isinstance(entries, list) or answer.get("error"):
        return None
    found = {str(each.get("address", "")).lower() for each in entries if isinstance(each, dict)}
    touched = sorted(each for each in found if len(each) == ADDRESS_DIGITS)
    return tuple(touched) if len(touched) <= MOST_CALLED else None
