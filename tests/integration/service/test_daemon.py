"""The daemon as operators run it: a process of its own, stopped in the middle, started again, telling."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v302 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import queue, send_batch
from tests.conftest import GENESIS
from tests.support.inbox import Inbox
from tests.support.keeping import PASSWORD, write_keystore
from tests.support.program import Running, start_keeper
from tests.support.waiting import wait_for
from tests.support.world import account, config_text, open_market

pytestmark = pytest.mark.integration

WAD = 10**18
OWNER, OTHER = account(1), account(2)


@pytest.fixture
def market() -> Iterator[tuple[Anvil, AaveDeployment]]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        deployed = deploy(anvil.rpc, *demo_market())
        open_market(anvil, deployed)
        weth, usdc = deployed.reserves["WETH"], deployed.reserves["USDC"]
        txs = []
        for who, debt in ((OWNER, 18_000), (OTHER, 19_000)):
            txs += act.mint_and_supply(deployed, weth, who, 10 * 10**18)
            txs.append(act.borrow(deployed, usdc, who, debt * 10**6))
        send_batch(anvil.rpc, txs, deployed.errors)
        yield anvil, deployed


def configure(anvil: Anvil, market: AaveDeployment, folder: Path, more: str = "", store: str = "") -> Path:
    key = write_keystore(folder)
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    funds = [
        act.mint(market, weth, key.address, 10**21),
        act.mint(market, usdc, key.address, 10**12),
    ]
    send_batch(anvil.rpc, funds, market.errors)
    anvil.set_balance(key.address, 10**19)
    config = folder / "keeper.toml"
    config.write_text(config_text(anvil, market, more, store))
    return config


PROTECT = f"""
[[protect]]
market = "aave"
account = "{OWNER}"
target = 1.25
max_spend_per_owner_day = "100000"
steps = [{{ action = "supply", asset = "WETH" }}]
[service]
record = "record.jsonl"
alerts_file = "alerts.jsonl"
"""


def keeper(*arguments: str, **environment: str) -> Running:
    return start_keeper(
        *arguments, environment={**os.environ, "KEEPER_KEYSTORE_PASSWORD": PASSWORD, **environment}
    )


def ask(*arguments: str) -> Any:
    process = keeper(*arguments, "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


def acted_at(config: Path, block: int) -> Callable[[], bool]:
    def done() -> bool:
        chains = ask("status", "--config", str(config))["chains"]
        return bool(chains) and chains[0]["acted_block"] == block

    return done


def crash(anvil: Anvil, market: AaveDeployment) -> int:
    queue(anvil, act.set_price(market, market.reserves["WETH"], 2230 * 10**8))
    return anvil.mine()


def test_a_run_for_some_blocks_ends_by_itself_and_history_tells_what_was_done(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    with Inbox() as inbox:
        more = PROTECT + f'[[alerts]]\nurl = "{inbox.url}"\n'
        config = configure(anvil, deployed, tmp_path, more)
        process = keeper("run", "--live", "--for-blocks", "4", "--config", str(config))
        record = tmp_path / "record.jsonl"
        wait_for(lambda: record.exists())
        block = crash(anvil, deployed)
        for _ in range(3):
            wait_for(acted_at(config, block))
            block = anvil.mine()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    made = ask("history", "--config", str(config))
    assert {(i["kind"], i["state"]) for i in made} == {("liquidate", "settled"), ("top_up", "settled")}
    assert all(t["succeeded"] for i in made for t in i["transactions"])
    timeline = ask("history", str(made[0]["id"]), "--config", str(config))["timeline"]
    ways = [(t["before"], t["after"]) for t in timeline if t["transaction_id"] is None]
    assert ways == [("", "planned"), ("planned", "rehearsed"), ("rehearsed", "settled")]
    kinds = [m["message"].split("\n")[0] for m in inbox.messages]
    assert kinds.count("kind: action_taken") == len(made)
    assert len(kinds) == len({m["message"] for m in inbox.messages}), "every alert is told once"
    told = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    taken = [t for t in told if t["kind"] == "action_taken"]
    assert {t["transaction"] for t in taken} == {
        t["hash"] for i in made for t in i["transactions"] if t["purpose"] == "act"
    }
    below = next(t for t in told if t["kind"] == "below_top_up")
    assert (
        below["account"] == OWNER
        and below["health"].startswith("1.0")
        and "top_up 1.05" in below["threshold"]
    )
    everything = err + config.read_text() + (tmp_path / "alerts.jsonl").read_text()
    assert PASSWORD not in everything and "5e5e5e5e" not in everything
    assert "5e5e5e5e" not in (tmp_path / "keeper.db").read_bytes().decode("latin1")


def test_ctrl_c_and_kill_at_any_moment_lose_nothing_and_double_nothing(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    config = configure(anvil, deployed, tmp_path, PROTECT)
    record = tmp_path / "record.jsonl"
    process = keeper("run", "--live", "--config", str(config))
    wait_for(lambda: record.exists())
    crash(anvil, deployed)
    time.sleep(0.03)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    for pause in (0.9, 1.0, 1.1, 1.2):
        process = keeper("run", "--live", "--config", str(config))
        time.sleep(pause)
        process.kill()
        process.communicate()
        anvil.mine()
    process = keeper("run", "--live", "--config", str(config))
    for _ in range(4):
        wait_for(acted_at(config, anvil.block_number()))
        anvil.mine()
    wait_for(acted_at(config, anvil.block_number()))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    made = ask("history", "--config", str(config))
    top_ups = [i for i in made if i["kind"] == "top_up" and i["state"] == "settled"]
    assert len(top_ups) == 1
    accounts = ask("scan", "--config", str(config))["markets"][0]["accounts"]
    owner = next(a for a in accounts if a["account"].lower() == OWNER)
    assert 1.2 < int(owner["health"]) / WAD < 1.26, "topped up once, to its target"
    other = next(a for a in accounts if a["account"].lower() == OTHER)
    assert other["health"] is None or int(other["health"]) >= WAD


def test_the_same_daemon_keeps_its_store_in_postgresql(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path, postgresql: str
) -> None:
    anvil, deployed = market
    config = configure(anvil, deployed, tmp_path, PROTECT, store=postgresql)
    process = keeper("run", "--live", "--for-blocks", "4", "--config", str(config))
    wait_for(lambda: (tmp_path / "record.jsonl").exists())
    block = crash(anvil, deployed)
    for _ in range(3):
        wait_for(acted_at(config, block))
        block = anvil.mine()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    made = ask("history", "--config", str(config))
    assert {(i["kind"], i["state"]) for i in made} == {("liquidate", "settled"), ("top_up", "settled")}


def test_an_unreachable_node_is_told_and_outlived(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    config = configure(anvil, deployed, tmp_path, PROTECT)
    text = config.read_text().replace(anvil.url, "http://127.0.0.1:9")
    config.write_text(text)
    process = keeper("run", "--config", str(config))
    alerts = tmp_path / "alerts.jsonl"
    wait_for(lambda: alerts.exists())
    began = time.monotonic()
    wait_for(lambda: time.monotonic() > began + 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    said = [line for line in err.splitlines() if "127.0.0.1:9" in line]
    assert len(said) == 2, f"the log and the alert, once each: {err}"
    told = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert [t["kind"] for t in told] == ["chain_unreachable"], told
    scan = keeper("scan", "--config", str(config))
    _, err = scan.communicate(timeout=30)
    assert scan.returncode == 3 and "cannot be reached" in err


def test_a_node_of_another_chain_ends_the_daemon_with_a_word(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    config = configure(anvil, deployed, tmp_path, PROTECT)
    config.write_text(config.read_text().replace("chain_id = 31337", "chain_id = 1"))
    process = keeper("run", "--live", "--config", str(config))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "serves chain 31337, but chain_id says 1" in err
    assert "Traceback" not in err and not (tmp_path / "alerts.jsonl").exists()
