"""`keeper init`: from an address to a file that the doctor accepts."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import send_batch
from keeper.protocols.registry import load
from keeper.setup.feeds import propose
from tests.conftest import LocalMarket
from tests.support.program import run_keeper
from tests.support.terminal import at_terminal

pytestmark = pytest.mark.integration

OWNER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def keeper(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_keeper(*arguments, folder=folder)


def test_from_an_address_to_a_file_that_the_doctor_accepts(aave_market: LocalMarket, tmp_path: Path) -> None:
    at = aave_market
    done = keeper("init", at.market.pool, "--rpc", at.anvil.url, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["chain_id"] == 31337 and found["version"] == at.market.version
    assert {a["symbol"] for a in found["assets"]} == set(at.market.reserves)
    for asset in found["assets"]:
        assert asset["source"].lower() == at.market.reserves[asset["symbol"]].feed.lower()
    path = tmp_path / "keeper.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = load(path)
    assert {name: each.heartbeat for name, each in settings.markets["aave"].oracles.items()} == {
        a["symbol"]: a["heartbeat"] for a in found["assets"]
    }
    assert settings.markets["aave"].address.lower() == at.market.pool.lower()
    created = settings.markets["aave"].from_block
    code = [at.rpc.text("eth_getCode", at.market.pool, hex(block)) for block in (created - 1, created)]
    assert code[0] == "0x" and code[1] != "0x"
    examined = keeper("doctor", "--json", folder=tmp_path)
    assert examined.returncode == 0, examined.stdout + examined.stderr


def test_everything_can_come_from_flags(aave_v36: LocalMarket, tmp_path: Path) -> None:
    flags = [
        "--market",
        "main pool",
        "--chain",
        "here",
        "--warn",
        "1.3",
        "--top-up",
        "1.2",
        "--target",
        "1.5",
    ]
    flags += ["--protect", OWNER.lower(), "--max-per-day", "250", "--keystore", "k.json", "--from-block", "3"]
    flags += ["--password-file", "pw", "--alert", "json://127.0.0.1:9/x", "--store", "sqlite:///other.db"]
    done = keeper("init", aave_v36.market.pool, "--rpc", aave_v36.anvil.url, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    settings = load(tmp_path / "keeper.toml")
    assert set(settings.chains) == {"here"} and set(settings.markets) == {"main pool"}
    assert [str(x) for x in (settings.policy.warn, settings.policy.top_up, settings.policy.target)] == [
        "1.3",
        "1.2",
        "1.5",
    ]
    (protect,) = settings.protect
    assert protect.account == OWNER and protect.max_spend_per_owner_day == 250
    assert settings.signer is not None and settings.signer.keystore == tmp_path / "k.json"
    assert settings.alerts[0].url == "json://127.0.0.1:9/x"
    assert settings.markets["main pool"].from_block == 3


def test_at_a_terminal_what_no_flag_says_is_asked_for(aave_v36: LocalMarket, tmp_path: Path) -> None:
    answers = {
        "(http:// or https://): ": aave_v36.anvil.url,
        "The market's address: ": aave_v36.market.pool,
        "falls below [1.10]: ": "1.4",
        "accounts below [1.05]: ": "",
        "bring them to [1.25]: ": "1.6",
        "(at most 1) [1.0]: ": "",
        "protect (empty: no more): ": OWNER,
        "(empty: only watch): ": "k.json",
        "alerts (empty: no more): ": "json://127.0.0.1:9/x",
        "may spend a day [1000]: ": "77",
    }
    code, screen = at_terminal(tmp_path, ["init"], answers)
    assert code == 0, screen
    settings = load(tmp_path / "keeper.toml")
    assert [str(x) for x in (settings.policy.warn, settings.policy.top_up, settings.policy.target)] == [
        "1.4",
        "1.05",
        "1.6",
    ]
    assert [(p.account, int(p.max_spend_per_owner_day)) for p in settings.protect] == [(OWNER, 77)]
    assert settings.signer is not None and settings.signer.keystore == tmp_path / "k.json"
    assert [a.url for a in settings.alerts] == ["json://127.0.0.1:9/x"]


@pytest.mark.parametrize("lead", ["addresses_provider", "a_token"])
def test_an_address_beside_the_pool_leads_to_it(aave_v302: LocalMarket, tmp_path: Path, lead: str) -> None:
    market = aave_v302.market
    address = market.reserves["WETH"].a_token if lead == "a_token" else market.addresses_provider
    done = keeper("init", address, "--rpc", aave_v302.anvil.url, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["address"].lower() == market.pool.lower()
    assert "found through" in (tmp_path / "keeper.toml").read_text()


def test_an_existing_file_is_kept_without_force(aave_v302: LocalMarket, tmp_path: Path) -> None:
    path = tmp_path / "keeper.toml"
    path.write_text("mine")
    arguments = ["init", aave_v302.market.pool, "--rpc", aave_v302.anvil.url]
    refused = keeper(*arguments, folder=tmp_path)
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert path.read_text() == "mine"
    assert keeper(*arguments, "--force", folder=tmp_path).returncode == 0
    assert load(path).chains
    assert [p.name for p in tmp_path.iterdir()] == ["keeper.toml"]


def test_wrong_wishes_leave_no_file(aave_v302: LocalMarket, tmp_path: Path) -> None:
    arguments = ["init", aave_v302.market.pool, "--rpc", aave_v302.anvil.url, "--warn", "1.01"]
    done = keeper(*arguments, folder=tmp_path)
    assert done.returncode == 2 and "warn ≥ top_up ≥ liquidate" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_feeds_heartbeat_is_measured(aave_v302: LocalMarket, tmp_path: Path) -> None:
    anvil, market = aave_v302.anvil, aave_v302.market
    block = anvil.rpc.call("eth_getBlockByNumber", "latest", False)
    now = as_int(as_dict(block)["timestamp"])
    for minutes in (10, 50, 20, 59, 5):
        now += minutes * 60
        anvil.set_next_timestamp(now)
        send_batch(anvil.rpc, [act.set_price(market, market.reserves["WETH"], 2400 * 10**8)])
    done = keeper("init", market.pool, "--rpc", anvil.url, "--json", folder=tmp_path)
    heartbeats = {a["symbol"]: a["heartbeat"] for a in json.loads(done.stdout)["assets"]}
    assert heartbeats["WETH"] == 3600
    assert heartbeats["DAI"] == 86400, "one round tells nothing"


@pytest.mark.parametrize(
    ("times", "heartbeat"),
    [
        ([0, 100, 200, 1300], 1200),
        ([0, 3600, 7230, 10800], 3600),
        ([0, 9], 86400),
        ([0, 1, 2, 300_002], 300_000),
    ],
)
def test_the_shortest_usual_heartbeat_that_holds_is_proposed(times: list[int], heartbeat: int) -> None:
    assert propose(times)[0] == heartbeat
