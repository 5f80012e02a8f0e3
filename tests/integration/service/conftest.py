"""A fresh market of each version, blocks by hand, for the loops to work at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import Anvil, AnvilOptions
from tests.conftest import GENESIS
from tests.support.world import open_market

Fresh = tuple[Anvil, AaveDeployment]


@pytest.fixture(params=["3.0.2", "3.6"])
def fresh_market(request: pytest.FixtureRequest) -> Iterator[Fresh]:
    """A market with liquidity of its own chain; USDC wants zero first, as USDT does."""
    specs, emodes = demo_market()
    specs = [replace(spec, kind="zero_first") if spec.symbol == "USDC" else spec for spec in specs]
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        deploy = {"3.0.2": deploy_v302, "3.6": deploy_v36}[request.param]
        deployed = deploy(anvil.rpc, specs, emodes)
        open_market(anvil, deployed)
        yield anvil, deployed
