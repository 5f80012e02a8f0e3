"""What the doctor says of prices: unknown sources, missing heartbeats, names that are no asset."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.doctor.checks import run_checks
from keeper.localchain import aave_actions as act
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.deployer import Deployer
from keeper.localchain.transactions import send_batch
from keeper.model.finding import Finding
from keeper.protocols.registry import load
from tests.conftest import LocalMarket
from tests.support import price_standins as make
from tests.support.keeping import write_keystore
from tests.support.world import config_text

pytestmark = pytest.mark.integration

KNOWN = """
[markets.aave.oracles.WETH]
heartbeat = 3600
[markets.aave.oracles.USDC]
heartbeat = 86400
[markets.aave.oracles.WETHH]
heartbeat = 3600
"""


def lines(local: LocalMarket, folder: Path) -> list[Finding]:
    write_keystore(folder)
    config = folder / "keeper.toml"
    config.write_text(config_text(local.anvil, local.market, KNOWN))
    return [f for f in run_checks(load(config), config) if "price of" in f.subject or "oracles" in f.subject]


def test_the_doctor_names_what_it_does_not_know_of_prices(aave_market: LocalMarket, tmp_path: Path) -> None:
    market = aave_market.market
    deployer = Deployer(aave_market.rpc, ACCOUNTS[0])
    feed = make.create_feed(deployer, 2500 * 10**8)
    ratio = make.create_ratio_cap(deployer, feed, make.create_ratio(deployer, 10**18), 2 * 10**18)
    unknown = make.create_unknown(deployer)
    deployer.flush()
    sources = {"WETH": ratio, "DAI": unknown}
    owner, dai, weth = "0x" + "d1" * 20, market.reserves["DAI"], market.reserves["WETH"]
    lender = [*act.mint_and_supply(market, weth, "0x" + "d2" * 20, 10**18)]
    txs = [
        *lender,
        *act.mint_and_supply(market, dai, owner, 2_000 * 10**18),
        act.borrow(market, weth, owner, 10**17),
    ]
    send_batch(aave_market.rpc, txs, market.errors)
    changes = [act.set_oracle_source(market, market.reserves[s], at) for s, at in sources.items()]
    send_batch(aave_market.rpc, changes, market.errors)
    found = {f.subject.split()[-1]: f for f in lines(aave_market, tmp_path)}
    assert found["WETH"].verdict == "ok" and found["WETH"].detail == "ratio-cap over aggregator"
    assert found["USDC"].verdict == "ok"
    assert "no heartbeat" in found["WBTC"].detail and "oracles.WBTC.heartbeat" in found["WBTC"].remedy
    assert unknown.lower() in found["DAI"].detail and "watched only" in found["DAI"].detail
    assert "250.00 of debt and 2,000.00 of collateral in 1 accounts hang on it" in found["DAI"].detail
    assert 'markets.aave.unknown_oracles = "act"' in found["DAI"].remedy
    wrong = found["markets.aave.oracles.WETHH"]
    assert wrong.verdict == "fault" and "WETH" in wrong.remedy
