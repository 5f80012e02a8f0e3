"""Calling a contract that is not deployed: its code is laid over an unused address for one `eth_call`."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.localchain.rpc import Json, LocalRpc

LENS_ADDRESS = "0x00000000000000000000000000000000006c656e"
BATCH_ADDRESS = "0x0000000000000000000000000000000062617463"
CALL_GAS = 2**40
"""More than any read takes: a local node sets no limit of its own."""


def call_with_code(
    rpc: LocalRpc, target: str, data: str, code: Mapping[str, str], block: str = "latest", gas: int = CALL_GAS
) -> str:
    """Answer (0x…) of a call while the addresses in `code` hold that code; RpcRefusedError if it reverts."""
    overrides: Json = {address: {"code": runtime} for address, runtime in code.items()}
    call: Json = {"to": target, "data": data, "gas": hex(gas)}
    return rpc.text("eth_call", call, block, overrides)
