"""A fresh market, blocks by hand, and one account that can be liquidated after the crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from tests.conftest import GENESIS
from tests.support.positions import ether_for_dollars, fund
from tests.support.world import World, account, open_market, world

Fresh = tuple[Anvil, AaveDeployment]
OTHER, THIRD = account(2), account(3)
CRASH = {"WETH": 2260 * 10**8}
WELL = {"WETH": 2500 * 10**8}


@pytest.fixture
def fresh() -> Iterator[Fresh]:
    """An Aave 3.6 market with liquidity on a chain of its own."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        deployed = deploy(anvil.rpc, *demo_market())
        open_market(anvil, deployed)
        yield anvil, deployed


Ready = Callable[..., World]


@pytest.fixture
def ready(fresh: Fresh, tmp_path: Path) -> Ready:
    """A keeper that has seen the market, with money to liquidate `OTHER` (and more accounts) after CRASH."""

    def make(
        more: str = "", *, rpc: str = "", accounts: tuple[str, ...] = (OTHER,), store: str = ""
    ) -> World:
        anvil, deployed = fresh
        w = world(anvil, deployed, tmp_path, more, rpc=rpc, store=store)
        for who in accounts:
            w.send(*ether_for_dollars(deployed, who, 10, 19_000))
        fund(w, USDC=1_000_000 * 10**6)
        w.work()
        return w

    return make
