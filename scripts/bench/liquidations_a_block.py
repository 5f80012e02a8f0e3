"""500 accounts fall at once: how many the keeper liquidates in the next block, through our contract.

Planned by the keeper's own deciding loop at one block, combined as execution combines them, and sent for one
block of Anvil's usual gas limit with mainnet's limit for one transaction (EIP-7825). The baseline is what would
fit if every liquidation took what it takes in the best batch. Gas alone and batched are of the same accounts.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog
from eth_account import Account
from sqlmodel import select

from keeper.config import load
from keeper.execution import batching
from keeper.localchain import aave_actions as act
from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.liquidator import demo_pools, deploy_liquidator, tokens_of
from keeper.localchain.rpc import Json, as_dict, as_int, as_list
from keeper.localchain.transactions import Tx, send_batch
from keeper.plan import Plan
from keeper.policy.levels import Policies
from keeper.service.deciding import Deciding
from keeper.service.markets import build, pools
from keeper.store.database import open_store
from keeper.store.tables import Intent
from scripts.bench.result import Result

ACCOUNTS = 500
GENESIS = 1_750_000_000
FALLEN = {"WETH": 2100_00000000}
PAYER = Account.from_key("0x" + "5e" * 32).address
LENDER = "0x" + "11" * 20


def measure() -> list[Result]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with (
        Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil,
        tempfile.TemporaryDirectory() as folder,
    ):
        market, settings = _stage(anvil)
        plans = _planned(anvil, market, settings, Path(folder))
        snapshot = anvil.snapshot()
        alone = _sent(anvil, [batching.combine([plans[0]])])[0][0]
        anvil.revert(snapshot)
        limit = as_int(as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))["gasLimit"])
        groups = _for_one_block(batching.split(plans, limit), limit)
        outcomes = _sent(anvil, [batching.combine(group) for group in groups], groups)
    done = sum(count for _, count in outcomes)
    best = min(gas / count for gas, count in outcomes if count)
    possible = limit / best
    return [
        {
            "name": f"liquidations a block of {limit // 10**6} million gas ({ACCOUNTS} fallen, {len(plans)} planned)",
            "value": done,
            "unit": "accounts",
            "baseline": possible,
            "ratio": done / possible,
            "aim": "at least 90 % of block gas over the best batch's gas",
            "ok": done / possible >= 0.9,
        },
        {
            "name": "gas a liquidation, batched",
            "value": best,
            "unit": "gas",
            "baseline": alone,
            "ratio": alone / best,
            "aim": "less than alone",
            "ok": best < alone,
        },
    ]
