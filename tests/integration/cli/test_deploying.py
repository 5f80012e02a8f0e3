"""`keeper contracts deploy`: once, through the journal, and into the configuration as it was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.cli.contracts import deploy
from keeper.doctor.contracts import liquidator as examine
from keeper.errors import ConfigError, KeeperError, UnreachableError
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.calldata import view_address
from keeper.localchain.deployer import Deployer
from keeper.protocols.registry import load
from keeper.service import deployment
from keeper.service.contract_versions import CALLBACK, Abilities
from keeper.setup.toml_edit import with_value
from keeper.store.tables.journal import Transaction
from tests.conftest import LocalMarket
from tests.support.keeping import PASSWORD
from tests.support.world import World, world

pytestmark = pytest.mark.integration

V1 = json.loads((Path(__file__).parents[2] / "support" / "liquidator_v1.json").read_text())

VENUE = """# where to sell
[chains.local.venues.uniswap_v3]
factory = "0x1F98431c8aD98523631AE4a59f267346ea31F984"
"""


@pytest.fixture
def place(aave_v36: LocalMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("KEEPER_KEYSTORE_PASSWORD", PASSWORD)
    w = world(aave_v36.anvil, aave_v36.market, tmp_path, chain_more=VENUE)
    w.anvil.set_balance(w.payer, 10**19)
    w.anvil.set_automine(True)
    return w


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_without_live_nothing_is_signed(place: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = place.config.read_text()
    deploy(place.config, "liquidator", live=False, as_json=True)
    told = shown(capsys)
    assert told["deployed"] is False
    assert place.transactions() == []
    assert place.config.read_text() == before


def test_deploys_once_and_keeps_what_the_configuration_said(
    place: World, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(place.config, "liquidator", live=True, as_json=True)
    first = shown(capsys)
    address = str(first["liquidator"])
    assert load(place.config).chains["local"].liquidator == address
    assert "# where to sell" in place.config.read_text()
    assert view_address(place.anvil.rpc, address, "owner()") == place.payer.lower()
    [row] = place.transactions()
    assert (row.purpose, row.hash, row.succeeded) == ("deploy", first["transaction"], True)

    deploy(place.config, "liquidator", live=True, as_json=True)
    assert shown(capsys) == {"liquidator": address, "transaction": "", "chain": "local"}
    assert len(place.transactions()) == 1


def test_one_that_is_under_way_is_waited_for_and_not_sent_again(
    place: World, capsys: pytest.CaptureFixture[str]
) -> None:
    place.anvil.set_automine(False)
    assert place.actor.sender is not None
    contract = deployment.liquidator(place.payer, place.payer)
    for _ in range(2):
        with pytest.raises(UnreachableError, match="not included yet"):
            deployment.deploy(place.actor.sender, contract, wait=0.5)
    assert len(place.transactions()) == 1
    place.anvil.mine()
    deploy(place.config, "liquidator", live=True, as_json=True)
    assert shown(capsys)["liquidator"] == contract.address
    with place.store.session() as session:
        assert len(session.exec(select(Transaction)).all()) == 1


def test_the_profit_may_go_to_another_than_who_signs(
    place: World, capsys: pytest.CaptureFixture[str]
) -> None:
    cold = "0x" + "C0" * 20
    deploy(place.config, "liquidator", owner=cold, live=True, as_json=True)
    address = str(shown(capsys)["liquidator"])
    assert view_address(place.anvil.rpc, address, "owner()") == cold.lower()
    [line] = examine(load(place.config), "local", place.deciding.pool, place.payer)
    assert line.verdict == "ok"


def test_doctor_knows_a_contract_that_is_not_ours_and_one_that_is_not_for_us(
    place: World, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(place.config, "liquidator", live=True, as_json=True)
    address = str(shown(capsys)["liquidator"])
    settings = load(place.config)
    [line] = examine(settings, "local", place.deciding.pool, "0x" + "12" * 20)
    assert line.verdict == "fault"
    assert "setOperator" in line.remedy
    place.anvil.set_code(address, bytes.fromhex("00"))
    [line] = examine(settings, "local", place.deciding.pool, place.payer)
    assert (line.verdict, "is not our Liquidator" in line.detail) == ("fault", True)


def test_mistakes_are_said(place: World) -> None:
    with pytest.raises(ConfigError, match="not a market"):
        deploy(place.config, "owner-top-up", market="elsewhere", live=True, as_json=False)
    with pytest.raises(KeeperError, match="not a chain"):
        deploy(place.config, "liquidator", chain="elsewhere", live=True, as_json=False)


def test_a_configuration_that_would_be_invalid_is_said_before_anything_is_paid_for(place: World) -> None:
    place.config.write_text(place.config.read_text().replace(VENUE, ""))
    before, nonce = (
        place.config.read_text(),
        place.anvil.rpc.text("eth_getTransactionCount", place.payer, "latest"),
    )
    for live in (False, True):
        with pytest.raises(ConfigError, match=r"venues.uniswap_v3 with its factory.*Nothing was sent"):
            deploy(place.config, "liquidator", live=live, as_json=False)
    assert place.transactions() == []
    assert place.anvil.rpc.text("eth_getTransactionCount", place.payer, "latest") == nonce
    assert place.config.read_text() == before
    assert not list(place.folder.glob(".keeper.toml*"))


def test_the_address_is_told_where_it_cannot_be_written(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ConfigError("cannot be written: no space left", where="keeper.toml")

    monkeypatch.setattr("keeper.cli.contracts.write", full)
    address = deployment.liquidator(place.payer, place.payer).address
    with pytest.raises(ConfigError, match=f'set chains.local.liquidator = "{address}"'):
        deploy(place.config, "liquidator", live=True, as_json=False)


def test_owners_cannot_pay_in_a_protocol_that_is_not_aave(place: World) -> None:
    place.config.write_text(place.config.read_text().replace('"aave-v3"', '"compound-v3"'))
    for live in (False, True):
        with pytest.raises(ConfigError, match="'aave' is compound-v3, where an owner's own money") as caught:
            deploy(place.config, "owner-top-up", market="aave", live=live, as_json=False)
        assert caught.value.exit_code == 2
    assert place.transactions() == []


def test_a_market_that_is_not_named_is_missing(place: World) -> None:
    with pytest.raises(ConfigError, match=r"--market: is missing.*Name one of aave"):
        deploy(place.config, "owner-top-up", live=False, as_json=False)


def test_without_gas_money_it_says_at_once_where_to_send_some(
    place: World, capsys: pytest.CaptureFixture[str]
) -> None:
    place.anvil.set_balance(place.payer, 10**9)
    deploy(place.config, "liquidator", live=False, as_json=True)
    assert "native coins" in str(shown(capsys)["missing"])
    with pytest.raises(KeeperError, match=f"Send native currency to {place.payer}") as caught:
        deploy(place.config, "liquidator", live=True, as_json=False)
    assert caught.value.exit_code == 1
    assert place.transactions() == []


def test_an_outdated_contract_is_named_used_within_its_abilities_and_replaced_step_by_step(
    place: World, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = Deployer(place.anvil.rpc, ACCOUNTS[0])
    code = replace(own_artifact("Liquidator"), code=V1["bytecode"][2:])
    old = queue.create(code, place.payer, place.payer)
    queue.flush()
    place.anvil.set_automine(True)
    allow = "".join(
        f'\n[[execution.allow]]\ntarget = "{each}" # listed\n' for each in (place.market.pool, old)
    )
    text = place.config.read_text() + allow
    place.config.write_text(with_value(text, ("chains", "local", "liquidator"), old))
    settings = load(place.config)
    outdated, line = examine(settings, "local", place.deciding.pool, place.payer)
    assert (outdated.verdict, line.verdict) == ("warning", "ok")
    assert "version 1" in outdated.detail and "calls back for its money" in outdated.detail
    assert CALLBACK in Abilities(place.deciding.pool).lacking("Liquidator", old)

    deploy(place.config, "liquidator", live=True, as_json=True)
    told = shown(capsys)
    new = str(told["liquidator"])
    after = load(place.config)
    assert after.chains["local"].liquidator == new != old
    assert [each.target.lower() for each in after.execution.allow or []] == [
        place.market.pool.lower(),
        new.lower(),
    ]
    assert place.config.read_text().count("# listed") == 2
    assert any(old in str(step) for step in told["steps"])  # type: ignore[attr-defined]
    [line] = examine(after, "local", place.deciding.pool, place.payer)
    assert line.verdict == "ok"
