"""`keeper init` notices a key, refuses what no chain could make right, and adds markets to a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import send_batch
from keeper.protocols.registry import load
from tests.conformance.aave_case import AaveCase
from tests.conformance.comet_case import CometCase
from tests.conformance.morpho_case import MorphoCase
from tests.conftest import GENESIS, LocalMarket
from tests.integration.setup.test_init import OWNER, keeper
from tests.support.keeping import write_keystore

pytestmark = pytest.mark.integration


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield running


def test_the_key_beside_the_file_is_signed_with(aave_v36: LocalMarket, tmp_path: Path) -> None:
    write_keystore(tmp_path)
    done = keeper("init", aave_v36.market.pool, "--rpc", aave_v36.anvil.url, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    signer = load(tmp_path / "keeper.toml").signer
    assert signer is not None and signer.keystore == tmp_path / "keystore.json"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--warn", "abc"], "--warn: 'abc' is not a number"),
        (["--warn", "1.01"], "warn ≥ top_up ≥ liquidate"),
        (["--liquidate", "0"], "liquidate: must be greater than 0"),
        (["--protect", "0x12"], "--protect: '0x12' is no address"),
        (["--max-per-day", "many"], "--max-per-day: 'many' is not a number"),
        (["--alert", "foo"], "--alert: is not an address that Apprise knows"),
    ],
)
def test_what_no_chain_could_make_right_is_said_before_one_is_asked(
    flags: list[str], said: str, tmp_path: Path
) -> None:
    # Nobody answers there: asking the node first would end with exit code 3.
    done = keeper("init", OWNER, "--rpc", "http://127.0.0.1:9", *flags, folder=tmp_path)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "ERROR" not in done.stderr


def test_a_first_block_that_has_not_come_is_refused(aave_v36: LocalMarket, tmp_path: Path) -> None:
    arguments = ["init", aave_v36.market.pool, "--rpc", aave_v36.anvil.url, "--from-block", "99999999"]
    done = keeper(*arguments, folder=tmp_path)
    assert done.returncode == 2 and "--from-block: block 99999999 has not come" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_guessed_heartbeat_is_marked_and_the_doctor_does_not_call_it_well(
    aave_v36: LocalMarket, tmp_path: Path
) -> None:
    done = keeper("init", aave_v36.market.pool, "--rpc", aave_v36.anvil.url, "--json", folder=tmp_path)
    guessed = {each["symbol"] for each in json.loads(done.stdout)["assets"] if each["guessed"]}
    assert "DAI" in guessed
    oracles = load(tmp_path / "keeper.toml").markets["aave"].oracles
    assert {name for name, each in oracles.items() if each.heartbeat_guessed} == guessed
    examined = json.loads(keeper("doctor", "--json", folder=tmp_path).stdout)
    [line] = [each for each in examined if each["subject"] == "market aave, price of DAI"]
    assert line["verdict"] == "warning" and "is a guess" in line["detail"]


def test_a_second_market_is_added_and_the_rest_stays(anvil: Anvil, tmp_path: Path) -> None:
    aave, comet, morpho = AaveCase(anvil, "3.6"), CometCase(anvil), MorphoCase(anvil)
    pool = aave.at.pool
    assert keeper("init", pool, "--rpc", anvil.url, "--protect", OWNER, folder=tmp_path).returncode == 0
    path = tmp_path / "keeper.toml"
    path.write_text(before := path.read_text() + "# mine\n")
    done = keeper("init", comet.at.comet, "--add", "--protect", OWNER, "--max-per-day", "7", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert keeper("init", morpho.at.morpho, "--add", "--market", "blue", folder=tmp_path).returncode == 0
    text = path.read_text()
    assert text.startswith(before.rstrip())
    settings = load(path)
    assert set(settings.markets) == {"aave", "comet", "blue"} and set(settings.chains) == {"local"}
    assert [(each.market, int(each.max_spend_per_owner_day)) for each in settings.protect] == [
        ("aave", 1000),
        ("comet", 7),
    ]
    assert all(f'#   "{pair.id}",' in text for pair in morpho.at.pairs), "to be listed by the operator"
    send_batch(anvil.rpc, [*aave.hold(), *comet.hold(), *morpho.hold()])
    examined = keeper("doctor", "--json", folder=tmp_path)
    assert examined.returncode == 0, examined.stdout

    again = keeper("init", comet.at.comet, "--add", folder=tmp_path)
    assert again.returncode == 2 and "in the file already, as markets.comet" in again.stderr
    policy = keeper("init", comet.at.comet, "--add", "--warn", "1.3", folder=tmp_path)
    assert policy.returncode == 2 and "--warn" in policy.stderr
    assert path.read_text() == text


def test_a_market_of_another_chain_brings_its_chain(anvil: Anvil, tmp_path: Path) -> None:
    with Anvil(AnvilOptions(timestamp=GENESIS, chain_id=1337)) as other:
        first, second = AaveCase(anvil, "3.6"), AaveCase(other, "3.6")
        assert keeper("init", first.at.pool, "--rpc", anvil.url, folder=tmp_path).returncode == 0
        done = keeper("init", second.at.pool, "--rpc", other.url, "--add", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        settings = load(tmp_path / "keeper.toml")
        assert {name: each.chain for name, each in settings.markets.items()} == {
            "aave": "local",
            "aave2": "chain1337",
        }
        assert settings.chains["chain1337"].rpc == [other.url]


def test_adding_needs_a_file(aave_v36: LocalMarket, tmp_path: Path) -> None:
    done = keeper("init", aave_v36.market.pool, "--rpc", aave_v36.anvil.url, "--add", folder=tmp_path)
    assert done.returncode == 2 and "there is no such configuration file" in done.stderr
    assert f"keeper init {'ADDRESS'} --rpc URL" in done.stderr
