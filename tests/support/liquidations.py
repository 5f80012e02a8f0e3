"""What the chain itself says was done: the pool's liquidation events, whoever's journal says what."""

from __future__ import annotations

from collections import Counter

from eth_utils.abi import event_signature_to_log_topic

from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.rpc import as_dict, as_list

_LIQUIDATION = (
    "0x"
    + event_signature_to_log_topic(
        "LiquidationCall(address,address,address,uint256,uint256,address,bool)"
    ).hex()
)


def liquidations(anvil: Anvil, market: AaveDeployment) -> Counter[str]:
    """How often each account (lower case) was liquidated on the chain as it now is."""
    query = {"address": market.pool, "topics": [_LIQUIDATION], "fromBlock": "0x0", "toBlock": "latest"}
    found = as_list(anvil.rpc.call("eth_getLogs", query))  # type: ignore[arg-type]
    return Counter("0x" + str(as_list(as_dict(log)["topics"])[3])[-40:] for log in found)
