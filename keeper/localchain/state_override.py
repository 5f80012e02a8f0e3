"""Calling a contract that is not deployed: its code is laid over an unused address for one `eth_call`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from keeper.localchain.own_contracts import artifact_path
from keeper.localchain.rpc import LocalRpc

LENS_ADDRESS = "0x00000000000000000000000000000000006c656e"
BATCH_ADDRESS = "0x0000000000000000000000000000000062617463"
CALL_GAS = 2**40
"""More than any read takes: a local node sets no limit of its own."""


def runtime_code(name: str) -> str:
    """Deployed bytecode (0x…) of one of our contracts, from its committed artifact."""
    return str(json.loads(artifact_path(name).read_text())["deployedBytecode"])


def call_with_code(
    rpc: LocalRpc, target: str, data: str, code: Mapping[str, str], block: str = "latest", gas: int = CALL_GAS
) -> str:
    """Answer (0x…) of a call while the addresses in `code` hold that code; RpcRefusedError if it reverts."""
    overrides = {address: {"code": runtime} for address, runtime in code.items()}
    return rpc.text(
        "eth_call", {"to": target, "data": data, "gas": hex(gas)}, block, json.loads(json.dumps(overrides))
    )
