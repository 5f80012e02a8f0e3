"""Old keys of the configuration work for a version, from the file and the environment, and are told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from keeper.config import Settings
from keeper.errors import ConfigError
from keeper.protocols.morpho_blue.settings import MorphoBlueSettings
from keeper.protocols.registry import load

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
aave_v3.owner_top_up = "{ADDRESS}"
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
        assert ("policy.min_native" in dict(settings.old_keys)) == (key == "MIN_NATIVE" or text is not NEW)


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


TABLES = f"""
[chains.c]
chain_id = 1
rpc = ["http://127.0.0.1:1"]
[markets.a]
protocol = "aave-v3"
chain = "c"
address = "{ADDRESS}"
AAVE
[markets.b]
protocol = "aave-v3"
chain = "c"
address = "{ADDRESS}"
[markets.m]
protocol = "morpho-blue"
chain = "c"
address = "{ADDRESS}"
MORPHO
[policy]
POLICY
"""


def tables(aave: str = "", morpho: str = "", policy: str = "") -> str:
    return TABLES.replace("AAVE", aave).replace("MORPHO", morpho).replace("POLICY", policy)


def test_what_moved_to_a_protocols_own_table_is_read_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = "0x" + "12" * 32
    morpho = f'market_ids = ["{id_}"]\nunlisted = "act"\nloan_prices = {{ WETH = "2500" }}'
    settings = read(tmp_path, tables(f'owner_top_up = "{ADDRESS}"', morpho, "receive_a_tokens = false"))
    own = settings.markets["m"].own_as(MorphoBlueSettings)
    assert (own.market_ids, own.untrusted_markets) == ([id_], "act") and own.loan_prices["WETH"] == 2500
    assert settings.markets["a"].own.ours("owner-top-up") == ADDRESS
    assert [bool(settings.markets[name].own.no_claims_reason) for name in "abm"] == [True, True, False]
    assert dict(settings.old_keys) == {
        "markets.a.owner_top_up": "write markets.a.aave_v3.owner_top_up",
        "markets.m.market_ids": "write markets.m.morpho_blue.market_ids",
        "markets.m.unlisted": "write markets.m.morpho_blue.untrusted_markets",
        "markets.m.loan_prices": "write markets.m.morpho_blue.loan_prices",
        "policy.receive_a_tokens": "write markets.a.aave_v3.receive_a_tokens, "
        "markets.b.aave_v3.receive_a_tokens",
    }
    monkeypatch.setenv("KEEPER_MARKETS__B__AAVE_V3__RECEIVE_A_TOKENS", "true")
    settings = read(tmp_path, tables(policy="receive_a_tokens = false"))
    assert [bool(settings.markets[name].own.no_claims_reason) for name in "ab"] == [True, False]


def test_an_owner_pays_only_where_the_protocol_lets_him(tmp_path: Path) -> None:
    elsewhere = NEW.replace('"aave-v3"', '"compound-v3"').replace(f'aave_v3.owner_top_up = "{ADDRESS}"', "")
    for text, key in ((elsewhere, "paid_by"), (old(elsewhere), "money")):
        with pytest.raises(
            ConfigError, match=rf"protect\[0\]\.{key}: an owner's own money cannot top up in c"
        ):
            read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (tables(morpho='unlisted = "no"'), "markets.m.unlisted: must be one of"),
        (
            tables(morpho='morpho_blue.untrusted_markets = "no"'),
            "markets.m.morpho_blue.untrusted_markets: must",
        ),
        (tables(aave='morpho_blue.untrusted_markets = "act"'), "belongs to protocol = 'morpho-blue'"),
        (
            tables(aave="aave_v3.owner = 1"),
            "markets.a.aave_v3.owner: unknown key; did you mean 'owner_top_up'",
        ),
        (tables(aave='unlisted = "act"\nmorpho_blue.untrusted_markets = "act"'), "and both are given"),
        (
            tables().replace('"morpho-blue"', '"perps"'),
            "must be one of 'aave-v3', 'compound-v3', 'morpho-blue'",
        ),
    ],
)
def test_mistakes_in_a_protocols_own_table_are_said(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    assert told in str(raised.value)
