"""Liquidations through our contract, with borrowed money and real Uniswap pools, on both versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import Tx
from tests.conftest import GENESIS
from tests.support.selling import Selling, open_exchange
from tests.support.world import World, account, open_market, world

pytestmark = pytest.mark.integration

WAD = 10**18
ETHER = 10**18


@pytest.fixture(params=["3.0.2", "3.6"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Anvil, AaveDeployment, Selling]]:
    """A fresh market of either version with liquidity, its exchange and our contract."""
    with Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil:
        deploy = {"3.0.2": deploy_v302, "3.6": deploy_v36}[request.param]
        deployed = deploy(anvil.rpc, *demo_market())
        selling = open_exchange(anvil, deployed)
        open_market(anvil, deployed)
        yield anvil, deployed, selling


def position(market: AaveDeployment, who: str, ether: int, dollars: int, debt: str = "USDC") -> list[Tx]:
    """`ether` whole WETH against `dollars` whole units of a stablecoin."""
    reserve = market.reserves[debt]
    return [
        *act.mint_and_supply(market, market.reserves["WETH"], who, ether * ETHER),
        act.borrow(market, reserve, who, dollars * 10**reserve.decimals),
    ]


def keeper(
    place: tuple[Anvil, AaveDeployment, Selling], folder: Path, more: str = "", chain: str = ""
) -> World:
    anvil, market, selling = place
    w = world(anvil, market, folder, more, chain_more=selling.settings(chain))
    anvil.set_balance(w.payer, 10**19)
    return w


def test_liquidates_without_a_token_of_its_own_and_earns(
    place: tuple[Anvil, AaveDeployment, Selling], tmp_path: Path
) -> None:
    w = keeper(place, tmp_path)
    w.send(*position(w.market, account(1), 10, 19_000))
    w.work()
    place[2].follow({"WETH": 2260 * 10**8})
    w.step({"WETH": 2260 * 10**8})
    [intent] = w.intents()
    assert intent.kind == "liquidate"
    w.step()
    w.step()
    settled = [i for i in w.intents() if i.state == "settled"]
    assert settled, [(i.state, i.reason) for i in w.intents()]
    assert w.balance("USDC") > 100 * 10**6
    assert w.allowance("USDC") == 0
