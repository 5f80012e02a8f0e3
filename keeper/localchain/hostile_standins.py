"""Hostile contracts (`contracts/test/HostileStandIns.sol`), to be laid over honest tokens and oracles."""

from __future__ import annotations

from functools import lru_cache

from keeper.localchain.anvil import Anvil
from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, compiled

WAYS = ("burn", "flicker", "flood", "dress", "lie")


@lru_cache(maxsize=1)
def _all() -> dict[str, Artifact]:
    found = compiled(Compilation(("test/HostileStandIns.sol",)))
    return {name: each.artifact() for name, each in found.items() if each.code}


def hostile_code(anvil: Anvil, sender: str, way: str, word: int = 0) -> bytes:
    """The runtime code of one that answers in this way (one of `WAYS`), deployed to be had."""
    queue = Deployer(anvil.rpc, sender)
    at = queue.create(_all()["HostileStandIn"], WAYS.index(way), word)
    queue.flush()
    return bytes.fromhex(anvil.rpc.text("eth_getCode", at, "latest")[2:])
