"""Deploying a contract of ours with the signer: one transaction, waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from eth_abi.abi import encode

from keeper.chain import fees
from keeper.chain.node import RpcError
from keeper.chain.pool import NodePool
from keeper.chain.signer import Signing
from keeper.contracts import artifact
from keeper.errors import KeeperError, UnreachableError
from keeper.execution.rehearsal import with_margin

WAIT_SECONDS = 300.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Deployed:
    """Where a contract is, and the transaction that made it."""

    address: str
    transaction: str


def deploy_owner_top_up(
    pool: NodePool, signer: Signing, market_pool: str, ceiling: int, wait: float = WAIT_SECONDS
) -> Deployed:
    """Deploy OwnerTopUp for one pool, paying at most `ceiling` wei a unit of gas.

    KeeperError when it would revert or reverted (no contract at the pool's address), UnreachableError when
    the transaction is not included within `wait` seconds; it then may still be.
    """
    data = str(artifact("OwnerTopUp")["bytecode"]) + encode(["address"], [market_pool]).hex()
    try:
        gas = int(pool.call("eth_estimateGas", {"from": signer.address, "data": data}), 16)
    except RpcError as error:
        raise KeeperError(
            f"OwnerTopUp cannot be deployed: {error.message}",
            where=f"chain {pool.name}",
            remedy=f"Check that {market_pool} is the pool and that {signer.address} has gas money",
        ) from None
    price = fees.suggest(pool, ceiling)
    raw, digest = signer.sign(
        {
            "chainId": pool.chain_id,
            "nonce": int(pool.call("eth_getTransactionCount", signer.address, "pending"), 16),
            "value": 0,
            "data": data,
            "gas": with_margin(gas),
            **price.fields(),
        }
    )
    pool.call("eth_sendRawTransaction", raw)
    until = time.monotonic() + wait
    while time.monotonic() < until:
        receipt = pool.call("eth_getTransactionReceipt", digest)
        if receipt is None:
            time.sleep(LOOK_SECONDS)
        elif int(receipt["status"], 16) == 1:
            return Deployed(str(receipt["contractAddress"]), digest)
        else:
            raise KeeperError(f"the deployment {digest} reverted", where=f"chain {pool.name}")
    raise UnreachableError(
        f"the deployment {digest} is not included yet",
        where=f"chain {pool.name}",
        remedy="Look for this transaction before deploying again",
    )
