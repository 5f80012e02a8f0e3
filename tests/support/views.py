"""Reading one number of a contract on a local chain."""

from __future__ import annotations

from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import LocalRpc


def view_int(rpc: LocalRpc, target: str, signature: str, *arguments: object) -> int:
    """A view function's first word as an unsigned integer."""
    answer = rpc.text("eth_call", {"to": target, "data": calldata(signature, *arguments)}, "latest")
    return int(answer[2:66], 16)
