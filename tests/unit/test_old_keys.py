"""Old keys of the configuration work for a version, from the file and the environment, and are told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from keeper.config import Settings, load
from keeper.errors import ConfigError

pytestmark = pytest.mark.unit

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
NEW = f"""
[chains.c]
chain_id = 1
rpc = ["http://127.0.0.1:1"]
head_ws = ["ws://127.0.0.1:2"]
[chains.c.relay]
url = "http://127.0.0.1:3"
mempool_ws = "ws://127.0.0.1:4"
bundle_method = "mev-share"
[markets.m]
protocol = "aave-v3"
chain = "c"
address = "{ADDRESS}"
owner_top_up = "{ADDRESS}"
unknown_oracles = "act"
[markets.m.oracles.WETH.second_source]
kind = "chainlink"
address = "{ADDRESS}"
[policy]
max_spend_per_account_day = 5
wrapped_native = "WETH"
gas_reserve = "0.5"
min_gas_hours = 12
[[protect]]
market = "m"
account = "{ADDRESS}"
max_spend_per_owner_day = "10"
paid_by = "owner"
when_unverified = "top_up"
"""
OLD = {
    "chains.c.head_ws": "chains.c.ws",
    "chains.c.relay.bundle_method": "chains.c.relay.behind",
    "chains.c.relay.mempool_ws": "chains.c.relay.updates",
    "markets.m.oracles.WETH.second_source": "markets.m.oracles.WETH.second",
    "markets.m.unknown_oracles": "markets.m.unresolved",
    "policy.gas_reserve": "policy.min_native",
    "policy.max_spend_per_account_day": "policy.max_per_day",
    "policy.min_gas_hours": "policy.gas_hours",
    "policy.wrapped_native": "policy.native_asset",
    "protect[0].max_spend_per_owner_day": "protect[0].max_per_day",
    "protect[0].paid_by": "protect[0].money",
    "protect[0].when_unverified": "protect[0].on_unknown",
}


def old(text: str) -> str:
    for new, before in OLD.items():
        text = text.replace(new.rsplit(".", 1)[1], before.rsplit(".", 1)[1])
    return text


def read(folder: Path, text: str) -> Settings:
    (folder / "keeper.toml").write_text(text)
    return load(folder / "keeper.toml")


def test_a_file_of_old_keys_says_the_same_and_each_is_told_once(tmp_path: Path) -> None:
    new, before = read(tmp_path, NEW), read(tmp_path, old(NEW))
    assert new.model_dump() == before.model_dump()
    assert new.old_keys == ()
    assert dict(before.old_keys) == {o: f"write {n.rsplit('.', 1)[1]}" for n, o in OLD.items()}


@pytest.mark.parametrize("key", ["MIN_NATIVE", "GAS_RESERVE"])
def test_the_environment_comes_before_the_file_by_either_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(f"KEEPER_POLICY__{key}", "0.7")
    for text in (NEW, old(NEW)):
        settings = read(tmp_path, text)
        assert settings.policy.gas_reserve == Decimal("0.7") and settings.policy.wrapped_native == "WETH"
        told = [each for each, _ in settings.old_keys].count("policy.min_native")
        assert told == (key == "MIN_NATIVE") + (text is not NEW)


def test_old_and_new_together_are_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"policy\.gas_hours is the old name of policy\.min_gas_hours, and"):
        read(tmp_path, NEW.replace("[policy]", "[policy]\ngas_hours = 3"))
    monkeypatch.setenv("KEEPER_POLICY__MIN_NATIVE", "1")
    monkeypatch.setenv("KEEPER_POLICY__GAS_RESERVE", "1")
    with pytest.raises(ConfigError, match=r"environment: policy\.min_native is the old name"):
        read(tmp_path, NEW)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (NEW.replace('"owner"', '"nobody"'), "protect[0].paid_by: must be one of"),
        (old(NEW).replace('"owner"', '"nobody"'), "protect[0].money: must be one of"),
        (old(NEW).replace('"chainlink"', '"x"'), "markets.m.oracles.WETH.second: "),
        (old(NEW).replace('"ws://127.0.0.1:4"', '"http://key@host"'), "chains.c.relay.updates: must start"),
    ],
)
def test_errors_name_the_key_that_was_written(tmp_path: Path, wrong: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, wrong)
    assert told in str(raised.value) and "key@" not in str(raised.value)


def test_parts_of_an_hour_of_the_old_key_are_rounded_up(tmp_path: Path) -> None:
    text = NEW.replace("min_gas_hours = 12", "gas_hours = 1.5")
    assert read(tmp_path, text).policy.min_gas_hours == 2
