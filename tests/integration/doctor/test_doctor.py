"""`keeper doctor`: one line a part, the remedy beside each fault, an exit code for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.transactions import send_batch
from tests.conftest import GENESIS, LocalMarket
from tests.support.keeping import KEY, PASSWORD, write_keystore
from tests.support.program import run_keeper
from tests.support.rpc_proxy import RpcProxy, deny, longest_range, proxy_to
from tests.support.world import account, config_text, open_market

pytestmark = pytest.mark.integration

OWNER = account(1)


@dataclass(frozen=True)
class Patient:
    """A configured keeper behind a proxy."""

    at: LocalMarket
    proxy: RpcProxy
    folder: Path
    payer: str

    @property
    def config(self) -> Path:
        return self.folder / "keeper.toml"

    def doctor(self) -> tuple[int, dict[str, dict[str, Any]]]:
        environment = {**os.environ, "KEEPER_KEYSTORE_PASSWORD": PASSWORD}
        done = run_keeper("doctor", "--json", "--config", str(self.config), environment=environment)
        assert "Traceback" not in done.stderr, done.stderr
        assert "ERROR" not in done.stderr, "what a library logs of a URL is no finding of ours"
        assert KEY not in done.stdout + done.stderr and PASSWORD not in done.stdout + done.stderr
        return done.returncode, {f["subject"]: f for f in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def young() -> Iterator[LocalMarket]:
    """A chain of its own: of one that made thousands of blocks, Anvil has forgotten the oldest states."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield LocalMarket(running, deploy(running.rpc, *demo_market()))


@pytest.fixture
def patient(young: LocalMarket, tmp_path: Path) -> Iterator[Patient]:
    anvil, market = young.anvil, young.market
    before = anvil.snapshot()
    open_market(anvil, market)
    key = write_keystore(tmp_path)
    weth = market.reserves["WETH"]
    txs = [*act.mint_and_supply(market, weth, OWNER, 10**19), act.mint(market, weth, key.address, 10**18)]
    send_batch(anvil.rpc, txs, market.errors)
    anvil.set_balance(key.address, 10**18)
    with proxy_to(anvil.url) as proxy:
        text = config_text(anvil, market, '[service]\nalerts_file = "alerts.jsonl"\n')
        (tmp_path / "keeper.toml").write_text(text.replace(anvil.url, proxy.url))
        yield Patient(young, proxy, tmp_path, key.address)
    anvil.revert(before)


def test_every_part_has_its_line_and_health_is_exit_0(patient: Patient) -> None:
    code, found = patient.doctor()
    assert code == 0, found
    node = f"chain local, node {patient.proxy.url.removeprefix('http://')}"
    verdicts = {subject: finding["verdict"] for subject, finding in found.items()}
    prices = [subject for subject in verdicts if "price of" in subject]
    assert len(prices) == len(patient.at.market.reserves)
    for subject in prices:
        assert verdicts.pop(subject) == "warning" and "heartbeat in seconds" in found[subject]["remedy"]
    # The test chain's blocks are of another year.
    assert verdicts.pop("chain local, clock") == "warning"
    assert verdicts == dict.fromkeys(
        [
            "file",
            f"{node}, gas cap",
            f"{node}, archive",
            f"{node}, websocket",
            "chain local",
            "chain local, logs",
            "chain local, rehearsals",
            "chain local, gas price",
            "store",
            "market aave, contract",
            "market aave",
            "market aave, parity",
            "market aave, sentinel",
            "signer",
            "signer, gas",
            "funds for aave",
        ],
        "ok",
    )
    assert "1 WETH" in found["funds for aave"]["detail"]


def test_a_node_that_gives_little_is_named_with_what_it_gives(patient: Patient) -> None:
    patient.at.anvil.mine(100)
    patient.proxy.rules.append(longest_range(40, "query returned more than 10000 results"))
    patient.proxy.rules.append(deny("eth_simulateV1"))
    patient.proxy.rules.append(_no_archive)
    code, found = patient.doctor()
    assert code == 0, found
    assert found["chain local, logs"]["verdict"] == "warning"
    assert "log_range = 24" in found["chain local, logs"]["remedy"]
    assert "in one eth_call as the signer" in found["chain local, rehearsals"]["detail"]
    assert any(s.endswith("archive") and f["verdict"] == "warning" for s, f in found.items())


def _no_archive(request: dict[str, Any]) -> str | None:
    return (
        "missing trie node"
        if request["method"] == "eth_getBalance" and request["params"][1] != "latest"
        else None
    )


def test_a_node_without_state_override_is_a_fault(patient: Patient) -> None:
    patient.proxy.rules.append(
        lambda r: "too many arguments" if r["method"] == "eth_call" and len(r["params"]) > 2 else None
    )
    code, found = patient.doctor()
    assert code == 1
    fault = next(f for s, f in found.items() if s.endswith("state override"))
    assert fault["verdict"] == "fault" and "geth" in fault["remedy"]


def test_a_node_that_refuses_much_gas_is_named_with_what_it_takes(patient: Patient) -> None:
    """Not with another cause: it takes state overrides, and says so in words nobody foresaw."""

    def rule(request: dict[str, Any]) -> str | None:
        asked = request["params"][0].get("gas", "0x0") if request["method"] == "eth_call" else "0x0"
        return "your request is too ambitious" if int(asked, 16) > 10_000_000 else None

    patient.proxy.rules.append(rule)
    code, found = patient.doctor()
    assert code == 0, found
    cap = next(f for s, f in found.items() if s.endswith("gas cap"))
    assert cap["verdict"] == "warning" and "more is refused" in cap["detail"]
    granted = int(cap["detail"].split("use ")[1].split(" gas")[0].replace(",", ""))
    assert 9_000_000 < granted <= 10_000_000


def test_an_allowance_left_standing_is_named(patient: Patient) -> None:
    at = patient.at
    data = calldata("approve(address,uint256)", at.market.pool, 5 * 10**17)
    weth = at.market.reserves["WETH"].asset
    send_batch(at.rpc, [{"from": patient.payer, "to": weth, "data": data}])
    code, found = patient.doctor()
    assert code == 0
    left = found["allowance for aave"]
    assert (
        left["verdict"] == "warning" and left["detail"].startswith("0.5 WETH") and "Revoke" in left["remedy"]
    )


def test_open_files_are_named_with_chmod(patient: Patient) -> None:
    (patient.folder / "keystore.json").chmod(0o644)
    code, found = patient.doctor()
    assert code == 1
    assert found["signer"]["verdict"] == "fault" and "chmod 600" in found["signer"]["remedy"]
    text = patient.config.read_text().replace('"]', '/v3/0123456789abcdef"]')
    patient.config.write_text(text)
    patient.config.chmod(0o644)
    _, found = patient.doctor()
    assert "access keys" in found["file"]["detail"] and "chmod 600" in found["file"]["remedy"]


def test_an_address_beside_the_pool_is_a_fault_that_names_the_pool(patient: Patient) -> None:
    market = patient.at.market
    text = patient.config.read_text().replace(market.pool, market.addresses_provider)
    patient.config.write_text(text)
    code, found = patient.doctor()
    assert code == 1
    fault = found["market aave, contract"]
    assert fault["verdict"] == "fault" and market.pool.lower() in fault["remedy"].lower()


def test_a_node_of_another_chain_is_a_fault_of_chain_id(patient: Patient) -> None:
    text = patient.config.read_text().replace("chain_id = 31337", "chain_id = 1")
    patient.config.write_text(text)
    code, found = patient.doctor()
    assert code == 1
    fault = next(f for s, f in found.items() if s.startswith("chain local, node"))
    assert fault["verdict"] == "fault" and "Correct chain_id" in fault["remedy"]


def test_a_clock_that_is_off_is_a_fault_where_it_is_checked(patient: Patient) -> None:
    text = patient.config.read_text().replace("block_time", "max_head_age = 300\nblock_time")
    patient.config.write_text(text)
    code, found = patient.doctor()
    assert code == 1
    assert (
        found["chain local, clock"]["verdict"] == "fault" and "NTP" in found["chain local, clock"]["remedy"]
    )


def test_everything_that_fails_is_told_in_one_go(patient: Patient) -> None:
    text = patient.config.read_text().replace(patient.proxy.url, "http://127.0.0.1:9")
    patient.config.write_text(text + '[[alerts]]\nurl = "nonsense"\n')
    (patient.folder / "keystore.json").unlink()
    code, found = patient.doctor()
    assert code == 1
    faults = {s for s, f in found.items() if f["verdict"] == "fault"}
    assert {"chain local, node 127.0.0.1:9", "market aave", "signer", "alerts[0]"} <= faults
    assert all(found[s]["remedy"] for s in faults)
