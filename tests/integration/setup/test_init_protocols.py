"""`keeper init` tells the protocols apart, and writes a file with which each is watched and found well."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keeper.localchain import troves
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import send_batch
from keeper.protocols.registry import load
from tests.conformance.case import Case
from tests.conformance.comet_case import CometCase
from tests.conformance.morpho_case import MorphoCase
from tests.conformance.trove_case import TroveCase
from tests.conftest import GENESIS
from tests.integration.setup.test_init import keeper

pytestmark = pytest.mark.integration


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield running


@pytest.mark.parametrize(
    ("build", "protocol", "name", "version"),
    [
        (MorphoCase, "morpho-blue", "morpho", "1.0"),
        (CometCase, "compound-v3", "comet", "3"),
        (TroveCase, "liquity", "troves", "musd-1"),
    ],
)
def test_a_market_is_recognised_with_its_version_and_its_price_sources(
    build: Callable[[Anvil], Case], protocol: str, name: str, version: str, anvil: Anvil, tmp_path: Path
) -> None:
    case = build(anvil)
    address = tomllib.loads(case.toml())["address"]
    done = keeper("init", address, "--rpc", anvil.url, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["protocol"], found["version"]) == (protocol, version)
    market = load(tmp_path / "keeper.toml").markets[name]
    assert (market.protocol, market.address.lower()) == (protocol, address.lower())
    assert case.oracle in market.oracles, "the source that moves in the suite, with its heartbeat"
    assert market.oracles[case.oracle].heartbeat == 86_400
    send_batch(anvil.rpc, case.hold())
    examined = keeper("doctor", "--json", folder=tmp_path)
    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert "parity" in examined.stdout


def test_a_contract_beside_a_trove_system_leads_to_it(anvil: Anvil, tmp_path: Path) -> None:
    at = troves.deploy(anvil.rpc, 60_000 * 10**8)
    beside = at.contracts["BorrowerOperations"]
    done = keeper("init", beside, "--rpc", anvil.url, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["address"].lower() == at.trove_manager.lower() and found["led_from"] == beside


def test_the_doctor_tells_a_protocol_that_is_another(anvil: Anvil, tmp_path: Path) -> None:
    case = CometCase(anvil)
    assert keeper("init", case.at.comet, "--rpc", anvil.url, "--json", folder=tmp_path).returncode == 0
    path = tmp_path / "keeper.toml"
    path.write_text(path.read_text().replace('protocol = "compound-v3"', 'protocol = "morpho-blue"'))
    examined = keeper("doctor", "--json", folder=tmp_path)
    assert examined.returncode == 1 and "is a Comet" in examined.stdout
