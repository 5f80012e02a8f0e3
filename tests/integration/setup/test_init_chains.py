"""What `keeper init` writes of a chain: what is published of its id, else what is probed; and that the file
says so where nothing tells what the coin costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from keeper.chain import blocks
from keeper.chain.pool import NodePool
from keeper.config import Settings, known_chain
from keeper.doctor.gas import gas
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, as_int
from keeper.localchain.transactions import send_batch
from keeper.protocols.registry import load
from keeper.service.markets import build
from keeper.service.planning import data_fees
from keeper.setup.answers import InitAnswers
from keeper.setup.survey import connect, explore
from keeper.setup.text import configuration
from tests.conftest import GENESIS
from tests.integration.service.test_data_fees import STAND_IN
from tests.support.books import refresh_alone

pytestmark = pytest.mark.integration


@contextmanager
def market_on(chain_id: int) -> Iterator[tuple[Anvil, AaveDeployment]]:
    with Anvil(AnvilOptions(timestamp=GENESIS, chain_id=chain_id)) as anvil:
        yield anvil, deploy(anvil.rpc, *demo_market())


def written(anvil: Anvil, deployed: AaveDeployment, folder: Path) -> tuple[str, Settings]:
    pool, head = connect(anvil.url)
    text = configuration(
        explore(pool, head, anvil.url, deployed.pool), InitAnswers("c", "aave", from_block=0)
    )
    path = folder / "keeper.toml"
    path.write_text(text)
    return text, load(path)


def doctors_lines(settings: Settings, anvil: Anvil) -> dict[str, str]:
    pool = NodePool("c", settings.chains["c"])
    markets = build(settings, {"c": pool}, None)
    for run in markets:
        refresh_alone(run.book, blocks.latest(pool))
    return {
        each.subject: f"{each.verdict}: {each.detail} {each.remedy}"
        for each in gas(settings.of_chain("c"), pool, markets)
    }


def test_a_known_chain_whose_coin_the_market_does_not_price_gets_its_published_feed(tmp_path: Path) -> None:
    row = known_chain(43114)
    assert row is not None and row.native_feed is not None
    with market_on(43114) as (anvil, deployed):
        text, settings = written(anvil, deployed, tmp_path)
        chain = settings.chains["c"]
        assert chain.native_price == row.native_feed and row.sources["native_feed"] in text
        assert chain.data_fee == "none"
        assert chain.max_gas_price_gwei is not None and chain.max_gas_price_gwei >= 1000
        assert chain.max_gas_per_day == chain.max_gas_price_gwei * 10_000_000 / Decimal(10**9)
        # Nothing stands at that feed here: doctor says what is needed.
        said = doctors_lines(settings, anvil)["chain c, gas price"]
        assert (
            said.startswith("warning") and "nothing is liquidated" in said and "chains.c.native_price" in said
        )


def test_an_unknown_chain_is_written_as_it_was_probed(tmp_path: Path) -> None:
    with market_on(424_242_424) as (anvil, deployed):
        text, settings = written(anvil, deployed, tmp_path)
        assert settings.chains["c"].native_price is None and "NEEDED" in text
        # What wraps the coin holds one for each token; and data is charged for as on an OP chain.
        weth = deployed.reserves["WETH"]
        send_batch(anvil.rpc, [act.mint(deployed, weth, "0x" + "77" * 20, 10**20)])
        asked: dict[str, Json] = {"to": weth.asset, "data": calldata("totalSupply()")}
        anvil.set_balance(weth.asset, as_int(anvil.rpc.call("eth_call", asked, "latest")))
        anvil.set_code(data_fees.OP_STACK_ORACLE, STAND_IN)
        anvil.mine()
        text, settings = written(anvil, deployed, tmp_path)
        assert settings.chains["c"].data_fee == "op-stack" and settings.chains["c"].native_price == "WETH"
        said = doctors_lines(settings, anvil)["chain c, gas price"]
        assert said.startswith("ok") and "2,500" in said and "op-stack" in said
        anvil.set_code(data_fees.OP_STACK_ORACLE, b"")
        anvil.mine()
        assert doctors_lines(settings, anvil)["chain c, data fee"].startswith("fault")
