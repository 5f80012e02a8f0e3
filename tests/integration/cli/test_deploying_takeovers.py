"""`keeper contracts deploy takeover`, and what the doctor says of the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.cli.contracts import deploy
from keeper.doctor.contracts import takeover as examine
from keeper.errors import ConfigError
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.perp_v2 import deploy as deploy_exchange
from keeper.localchain.perp_v2_takeover import deploy_takeover
from keeper.model.finding import Finding
from keeper.protocols.registry import load
from keeper.service.markets import build, pools
from tests.conftest import GENESIS
from tests.support.curie_exchange import COLLATERALS, MARKETS, CurieExchange
from tests.support.keeping import MARKET, PASSWORD, Keeping, keeping

pytestmark = pytest.mark.integration


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[CurieExchange, Keeping]]:
    monkeypatch.setenv("KEEPER_KEYSTORE_PASSWORD", PASSWORD)
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        market = CurieExchange(anvil, deploy_exchange(anvil.rpc, MARKETS, COLLATERALS))
        toml = f'protocol = "perp-v2"\naddress = "{market.system.clearing_house}"'
        yield market, keeping(anvil, toml, tmp_path)


def examined(config: Path, payer: str) -> list[Finding]:
    settings = load(config)
    [run] = build(settings, pools(settings), None)
    return list(examine(run, payer))


def test_it_is_put_on_the_chain_and_into_the_markets_table(
    place: tuple[CurieExchange, Keeping], capsys: pytest.CaptureFixture[str]
) -> None:
    market, k = place
    config = k.folder / "keeper.toml"
    [before] = examined(config, k.payer)
    assert before.verdict == "warning" and "deploy takeover --market m" in before.remedy
    with pytest.raises(ConfigError, match="--market"):
        deploy(config, "takeover", live=False, as_json=True)
    deploy(config, "takeover", market=MARKET, live=True, as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert load(config).markets[MARKET].own.ours("takeover") == told["takeover"]
    [found] = examined(config, k.payer)
    assert found.verdict == "ok" and told["takeover"] in found.detail
    [stranger] = examined(config, ACCOUNTS[5 % len(ACCOUNTS)])
    assert stranger.verdict == "fault" and "setOperator" in stranger.remedy
    other = deploy_exchange(market.anvil.rpc, MARKETS, maker=ACCOUNTS[1], mover=ACCOUNTS[2])
    strange = deploy_takeover(market.anvil.rpc, other, k.payer, k.payer)
    config.write_text(config.read_text().replace(told["takeover"], strange))
    [wrong] = examined(config, k.payer)
    assert wrong.verdict == "fault" and other.clearing_house in wrong.detail
