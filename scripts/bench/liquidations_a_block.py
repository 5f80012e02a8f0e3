"""500 accounts fall at once: how many the keeper liquidates in the next block, through our contract.

Planned by the keeper's own deciding loop at one block, combined as execution combines them, and sent for
one block of Anvil's usual gas limit with mainnet's limit for one transaction (EIP-7825). The baseline is what
would fit if every liquidation took what it takes in the best batch. Gas alone and batched are of the same
accounts.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from eth_account import Account
from sqlmodel import col, select

from keeper.execution import batch_gas, batches
from keeper.localchain import aave_actions as act
from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.liquidator import demo_pools, deploy_liquidator, tokens_of
from keeper.localchain.rpc import Json, as_dict, as_int, as_list
from keeper.localchain.transactions import Tx, send_batch
from keeper.model.plan import Plan
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import build, policies_of, pools
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent
from scripts.bench.looking import look
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
        fallen = [act.set_price(market, market.reserves[symbol], price) for symbol, price in FALLEN.items()]
        plans = planned(anvil, lambda: _mined(anvil, fallen), settings, Path(folder))
        snapshot = anvil.snapshot()
        alone = sent(anvil, [batches.combine([plans[0]])])[0][0]
        anvil.revert(snapshot)
        limit = as_int(as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))["gasLimit"])
        groups = batches.split(plans, limit)
        outcomes = sent(anvil, [batches.combine(group) for group in groups], groups)
    done = sum(count for _, count in outcomes)
    best = min(gas / count for gas, count in outcomes if count)
    possible = limit / best
    return [
        {
            "name": f"liquidations a block of {limit // 10**6} million gas, {len(plans)} planned",
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


def _mined(anvil: Anvil, txs: list[Tx]) -> None:
    send_batch(anvil.rpc, txs)


def _stage(anvil: Anvil) -> tuple[AaveDeployment, str]:
    """Accounts that borrowed dollars on ether, an exchange deep enough for all of them, and our contract."""
    market = deploy(anvil.rpc, *demo_market())
    prices = {spec.symbol: spec.price for spec in demo_market()[0]}
    deployed = uniswap.deploy(anvil.rpc, tokens_of(market, prices), demo_pools(400_000_000))
    contract = deploy_liquidator(anvil.rpc, PAYER, PAYER)
    send_batch(anvil.rpc, _accounts(market), market.errors)
    fallen = tokens_of(market, {**prices, **FALLEN})
    moves = [tx for spec in demo_pools() for tx in uniswap.move(anvil.rpc, deployed, spec, fallen)]
    send_batch(anvil.rpc, moves)
    anvil.set_balance(PAYER, 10**21)
    anvil.set_automine(False)
    anvil.set_timestamp_interval(12)
    settings = f"""
[chains.local]
chain_id = 31337
rpc = ["{anvil.url}"]
block_time = 12
liquidator = "{contract}"
[chains.local.venues.uniswap_v3]
factory = "{deployed.factory}"
hops = ["{market.reserves["WETH"].asset}", "{market.reserves["USDC"].asset}"]
[markets.aave]
protocol = "aave-v3"
chain = "local"
address = "{market.pool}"
"""
    return market, settings


def _accounts(market: AaveDeployment) -> list[Tx]:
    dice = random.Random(4)
    reserves = market.reserves
    txs: list[Tx] = []
    for reserve in reserves.values():
        txs += act.mint_and_supply(market, reserve, LENDER, 10**8 * 10**reserve.decimals)
    for number in range(ACCOUNTS):
        account = f"0x{0xBE << 152 | number:040x}"
        ether = dice.randrange(10**18, 4 * 10**18)
        debt = ether * 2500 * dice.randrange(770, 800) // 1000 // 10**12
        txs += act.mint_and_supply(market, reserves["WETH"], account, ether)
        txs.append(act.borrow(market, reserves["USDC"], account, debt))
    return txs


def planned(anvil: Anvil, fall: Callable[[], None], settings: str, folder: Path) -> list[Plan]:
    """What the deciding loop commits at the block after the fall, in its order."""
    path = folder / "bench.toml"
    path.write_text(settings)
    loaded = load(path)
    store = open_store(f"sqlite:///{folder / 'keeper.db'}")
    nodes = pools(loaded)
    runs = build(loaded, nodes, store)
    deciding = ChainLoop(
        nodes["local"], store, loaded.of_chain("local"), policies_of(loaded), runs, "live", PAYER
    )
    look(deciding)
    fall()
    anvil.set_automine(False)
    look(deciding)
    with store.session() as session:
        plans = [
            Plan.from_json(row.plan) for row in session.exec(select(Intent).order_by(col(Intent.id))).all()
        ]
    store.close()
    return plans


def sent(
    anvil: Anvil, calls: Sequence[batches.Batched], groups: Sequence[list[Plan]] = ()
) -> list[tuple[int, int]]:
    """Gas used and accounts liquidated of each call, all sent by PAYER for one block."""
    anvil.impersonate(PAYER)
    hashes = []
    for call in calls:
        request: dict[str, Json] = {
            "from": PAYER,
            "to": call.target,
            "data": call.data,
            "gas": hex(batch_gas.limit(call.gas)),
        }
        hashes.append(anvil.rpc.text("eth_sendTransaction", request))
    block = anvil.mine()
    found = []
    for place, digest in enumerate(hashes):
        raw = anvil.rpc.call("eth_getTransactionReceipt", digest)
        if raw is None or as_int(as_dict(raw)["blockNumber"]) != block:
            found.append((0, 0))
            continue
        receipt = as_dict(raw)
        logs = [as_dict(log) for log in as_list(receipt["logs"])]
        group = groups[place] if groups else []
        done = sum(each.done for each in batches.outcomes(group, logs)) if group else 1
        assert as_int(receipt["status"]) == 1, json.dumps(receipt)[:500]
        found.append((as_int(receipt["gasUsed"]), done))
    return found
