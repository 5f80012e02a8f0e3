"""Reading one number of a contract on a local chain."""

from __future__ import annotations

from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import LocalRpc


def view_int(rpc: LocalRpc, target: str, signature: str, *arguments: object, word: int = 0) -> int:
    """A word of a view function's answer, the first where none is named, as an unsigned integer."""
    answer = rpc.text("eth_call", {"to": target, "data": calldata(signature, *arguments)}, "latest")
    return int(answer[2 + 64 * word : 66 + 64 * word], 16)
