"""A cold scan of 1,000 accounts against one `getUserAccountData` per account through web3.py.

Both run in a fresh process of their own, against the same Anvil, at the same block; the keeper with an
empty book and no store, from discovery in the event logs to exact numbers. The clock runs inside the
process, from after the imports (which both sides pay alike) to the last number. Requests are counted in
a second run, through a proxy.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v302 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import Tx, send_batch
from scripts.bench.counting_proxy import CountingProxy
from scripts.bench.result import Result

ACCOUNTS = 1_000
ROUNDS = 5
GENESIS = 1_750_000_000


def measure() -> list[Result]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil, tempfile.TemporaryDirectory() as folder:
        market = deploy(anvil.rpc, *demo_market())
        send_batch(anvil.rpc, _accounts(market, ACCOUNTS), market.errors)
        anvil.increase_time(30 * 24 * 3600)
        block = anvil.mine()
        ours = [_keeper(anvil.url, market, Path(folder)) for _ in range(ROUNDS)]
        theirs = _web3(anvil.url, market, block, ours[0]["accounts"])
        if ours[0]["health"] != theirs["health"]:
            raise SystemExit("cold scan: the two sides do not agree, so their times mean nothing")
        with CountingProxy(anvil.url) as proxy:
            counted = _keeper(proxy.url, market, Path(folder))
    seconds = sorted(run["seconds"] for run in ours)[ROUNDS // 2]
    ratio = theirs["seconds"] / seconds
    requests = len(proxy.methods)
    assert len(counted["accounts"]) == len(ours[0]["accounts"])
    return [
        {
            "name": f"cold scan of {len(ours[0]['accounts'])} accounts",
            "value": seconds,
            "unit": "s",
            "baseline": theirs["seconds"],
            "ratio": ratio,
            "aim": "20 x faster than one call an account",
            "ok": ratio >= 20,
        },
        {
            "name": "cold scan, requests",
            "value": requests,
            "unit": "requests",
            "baseline": len(ours[0]["accounts"]),
            "ratio": None,
            "aim": "at most 10",
            "ok": requests <= 10,
        },
    ]


def _accounts(market: AaveDeployment, count: int) -> list[Tx]:
    """Accounts with two collaterals and a debt each, opened by real transactions."""
    dice = random.Random(1)
    reserves = market.reserves
    lender = "0x" + "11" * 20
    txs: list[Tx] = []
    for reserve in reserves.values():
        txs += act.mint_and_supply(market, reserve, lender, 10**9 * 10**reserve.decimals)
    for number in range(count):
        account = f"0x{0xBE << 152 | number:040x}"
        ether = dice.randrange(10**18, 10**20)
        txs += act.mint_and_supply(market, reserves["WETH"], account, ether)
        txs += act.mint_and_supply(market, reserves["WBTC"], account, dice.randrange(10**6, 10**8))
        debt = ether * 2500 * dice.randrange(30, 75) // 100 // 10**12
        txs.append(act.borrow(market, reserves["USDC"], account, debt))
    return txs


def _keeper(url: str, market: AaveDeployment, folder: Path) -> dict[str, Any]:
    config = folder / "bench.toml"
    config.write_text(
        f'[chains.local]\nchain_id = 31337\nrpc = ["{url}"]\n'
        f'[markets.aave]\nprotocol = "aave-v3"\nchain = "local"\naddress = "{market.pool}"\n'
    )
    return _run("scripts.bench.cold_scan_keeper", str(config))


def _web3(url: str, market: AaveDeployment, block: int, accounts: list[str]) -> dict[str, Any]:
    return _run("scripts.bench.cold_scan_web3", url, market.pool, str(block), json.dumps(accounts))


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
