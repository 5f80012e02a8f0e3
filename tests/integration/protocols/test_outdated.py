"""An outdated contract of ours goes on within its abilities: where it cannot be called back, it borrows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.deployer import Deployer
from keeper.model.plan import Plan
from tests.conformance.exchange import PAYER, open_exchange
from tests.conformance.morpho_case import MorphoCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, keeping

pytestmark = pytest.mark.integration

V1 = json.loads((Path(__file__).parents[2] / "support" / "liquidator_v1.json").read_text())


def test_morpho_is_liquidated_by_a_contract_that_cannot_be_called_back(tmp_path: Path) -> None:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        case = MorphoCase(anvil)
        exchange = open_exchange(case)
        queue = Deployer(anvil.rpc, ACCOUNTS[0])
        code = replace(own_artifact("Liquidator"), code=V1["bytecode"][2:])
        exchange.liquidator = queue.create(code, PAYER, PAYER)
        queue.flush()
        account = case.near("0x" + "b2" * 20)
        anvil.set_automine(False)
        anvil.set_timestamp_interval(BLOCK_SECONDS)
        k = keeping(anvil, case.toml(), tmp_path, chain=exchange.settings())
        k.step(case.hold())
        fall = case.fall()
        exchange.follow()
        k.step(fall)
        k.step(case.hold())
        k.step(case.hold())
        intents = [i for i in k.intents() if i.account == account]
        assert [i.state for i in intents] == ["settled"], [(i.state, i.reason) for i in intents]
        item = Plan.from_json(intents[0].plan).batch_item
        assert item is not None and item.loan is not None and item.loan.kind != "callback"
        assert exchange.earned(PAYER) > 0
