"""Our PerpTakeover on a local Perp v2, deployed without a key."""

from __future__ import annotations

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.perp_v2_market import CurieDeployment
from keeper.localchain.rpc import LocalRpc


def deploy_takeover(rpc: LocalRpc, system: CurieDeployment, owner: str, operator: str) -> str:
    """Deploy our PerpTakeover and return its address. `operator` and `owner` may take positions over."""
    queue = Deployer(rpc, ACCOUNTS[0])
    address = queue.create(own_artifact("PerpTakeover"), system.clearing_house, owner, operator)
    queue.flush()
    return address
