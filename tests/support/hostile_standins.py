"""Hostile contracts (`contracts/test/HostileStandIns.sol`), to be laid over honest tokens and oracles."""

from __future__ import annotations

from keeper.localchain.anvil import Anvil
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, artifacts

WAYS = ("burn", "flicker", "flood", "dress", "lie")
_SOURCE = Compilation(("test/HostileStandIns.sol",))


def hostile_code(anvil: Anvil, sender: str, way: str, word: int = 0) -> bytes:
    """The runtime code of one that answers in this way (one of `WAYS`), deployed to be had."""
    queue = Deployer(anvil.rpc, sender)
    at = queue.create(artifacts(_SOURCE)["HostileStandIn"], WAYS.index(way), word)
    queue.flush()
    return bytes.fromhex(anvil.rpc.text("eth_getCode", at, "latest")[2:])
