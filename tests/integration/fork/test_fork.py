"""`keeper fork`: the same daemon on a copy of the chain; nothing of it reaches what is real."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import send_batch
from keeper.protocols.registry import load
from keeper.store.database import open_store
from tests.conftest import LocalMarket
from tests.support.inbox import Inbox
from tests.support.program import run_keeper
from tests.support.rpc_proxy import RpcProxy, proxy_to
from tests.support.world import account, config_text, open_market

pytestmark = pytest.mark.integration

OWNER, OTHER, STAKER = account(1), account(2), account(3)
# What may be asked of the real node: nothing that could change it. Anvil passes on a question after a
# transaction that the fork does not know yet.
READS = {
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getAccount",
    "eth_getAccountInfo",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_maxPriorityFeePerGas",
    "net_version",
}


@dataclass(frozen=True)
class Real:
    """What must stay as it is, and the proxy before the node."""

    at: LocalMarket
    proxy: RpcProxy
    inbox: Inbox
    folder: Path

    def state(self) -> dict[str, Any]:
        files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in self.folder.iterdir()}
        return {"block": self.at.anvil.block_number(), "files": files, "told": len(self.inbox.messages)}


@pytest.fixture(params=["aave_v36"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Real]:
    at: LocalMarket = request.getfixturevalue(request.param)
    anvil, market = at.anvil, at.market
    open_market(anvil, market)
    weth, usdc, wsteth = (market.reserves[s] for s in ("WETH", "USDC", "wstETH"))
    txs = [act.set_oracle_source(market, wsteth, weth.feed)]
    for who, debt in ((OWNER, 17_000), (OTHER, 18_000)):
        txs += act.mint_and_supply(market, weth, who, 10 * 10**18)
        txs.append(act.borrow(market, usdc, who, debt * 10**6))
    txs += act.mint_and_supply(market, wsteth, STAKER, 10 * 10**18)
    txs.append(act.borrow(market, usdc, STAKER, 17_500 * 10**6))
    send_batch(anvil.rpc, txs, market.errors)
    with proxy_to(anvil.url) as proxy, Inbox() as inbox:
        more = f"""
[[protect]]
market = "aave"
account = "{OWNER}"
max_spend_per_owner_day = "100000"
[[alerts]]
url = "{inbox.url}"
[service]
alerts_file = "alerts.jsonl"
record = "record.jsonl"
"""
        text = config_text(anvil, market, more).replace(anvil.url, proxy.url)
        (tmp_path / "keeper.toml").write_text(text)
        open_store(load(tmp_path / "keeper.toml").store.url).close()
        yield Real(at, proxy, inbox, tmp_path)


def fork(real: Real, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_keeper(
        *("fork", "--json", "--config", str(real.folder / "keeper.toml"), *arguments),
        environment={k: v for k, v in os.environ.items() if k != "KEEPER_KEYSTORE_PASSWORD"},
        timeout=300,
    )


@pytest.mark.parametrize("real", ["aave_v302", "aave_v36"], indirect=True)
def test_a_shock_is_acted_on_and_nothing_reaches_what_is_real(real: Real) -> None:
    before = real.state()
    done = fork(real, "--shock", "WETH=-15%")
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    ways = {(d["account"], d["kind"]) for d in result["deeds"] if d["state"] == "settled"}
    assert ways == {(OWNER, "top_up"), (OTHER, "liquidate"), (STAKER, "liquidate")}
    prices = {p["symbol"]: (int(p["before"]), int(p["after"])) for p in result["prices"]}
    assert prices["WETH"] == (2500 * 10**18, 2125 * 10**18)
    assert prices["wstETH"] == prices["WETH"], "what hangs on the feed follows"
    assert prices["DAI"][0] == prices["DAI"][1]
    totals = {name: int(value) for name, value in result["totals"].items()}
    assert totals["earned"] > 0 and totals["spent"] > 0 and totals["gas"] > 0
    assert abs(totals["inventory"] - (totals["earned"] - totals["spent"])) < 10**18, "plans came true"
    assert result["left"] == [] and result["alerts"] > 0 and '"local_only": true' in done.stderr
    assert real.state() == before
    assert set(real.proxy.counts()) <= READS, real.proxy.counts()


def test_without_a_shock_nothing_is_done(real: Real) -> None:
    done = fork(real)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    assert result["deeds"] == [] and result["totals"]["gas"] == "0"
    assert all(p["before"] == p["after"] for p in result["prices"])


def test_an_older_block_can_be_forked(real: Real) -> None:
    at = real.at.anvil.block_number()
    real.at.anvil.mine(5)
    done = fork(real, "--block", str(at), "--blocks", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["forked_at"] == at


@pytest.mark.parametrize(
    ("shock", "said"),
    [
        ("WETH", "is no shock"),
        ("WETH=30", "is no shock"),
        ("WETH=-130%", "is no shock"),
        ("DOGE=-30%", "'DOGE' is no feed or asset here"),
    ],
)
def test_a_shock_that_fits_nothing_is_refused(real: Real, shock: str, said: str) -> None:
    done = fork(real, "--shock", shock)
    assert done.returncode == 2 and said in done.stderr, done.stderr[-2000:]
    assert "Traceback" not in done.stderr


def test_a_block_that_has_not_come_is_a_mistake_in_plain_words(real: Real) -> None:
    done = fork(real, "--block", "99999999")
    assert done.returncode == 2, done.stderr
    assert "--block: block 99999999 has not come: the chain is at" in done.stderr
