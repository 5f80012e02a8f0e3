"""The configuration: exact ratios, references that hold, and messages that say what, where and what to do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from keeper.config import wad
from keeper.errors import ConfigError
from keeper.protocols.registry import load

pytestmark = pytest.mark.unit

GOOD = """
[chains.local]
chain_id = 31337
rpc = ["http://127.0.0.1:8545"]
[markets.aave]
protocol = "aave-v3"
chain = "local"
address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
from_block = 0
[store]
url = "sqlite:///keeper.db"
[signer]
keystore = "path"
[policy]
warn = 1.10
top_up = 1.05
liquidate = 1.0
[[protect]]
market = "aave"
account = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
target = 1.25
max_spend_per_owner_day = "10000"
[[alerts]]
url = "json://127.0.0.1/x"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "keeper.toml"
    path.write_text(text)
    return path


def test_the_smallest_example_is_read_exactly(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD))
    assert settings.policy.warn == Decimal("1.10")
    assert wad(settings.policy.warn) == 1_100_000_000_000_000_000
    assert settings.protect[0].max_spend_per_owner_day == Decimal(10000)


def test_relative_paths_are_beside_the_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD))
    assert settings.store.url == f"sqlite:///{tmp_path / 'keeper.db'}"
    assert settings.signer is not None and settings.signer.keystore == tmp_path / "path"


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPER_POLICY__WARN", "1.3")
    assert load(write(tmp_path, GOOD)).policy.warn == Decimal("1.3")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("warn = 1.10", "warm = 1.10", "policy.warm: unknown key; did you mean 'warn'?"),
        ("target = 1.25", "target = 1.25\ntargt = 2", "protect[0].targt: unknown key; did you mean 'target'"),
        ("warn = 1.10", "warn = 1.01", "warn ≥ top_up ≥ liquidate"),
        ("liquidate = 1.0", "liquidate = 1.02", "no protocol allows it"),
        ("target = 1.25", "target = 1.01", "target must not be below top_up"),
        ('chain = "local"', 'chain = "lokal"', "markets.aave.chain: 'lokal' is not defined; there is local"),
        ("chain_id = 31337", 'chain_id = "main"', "chains.local.chain_id"),
        ('account = "0x5F', 'account = "0x', "is no address"),
        ('market = "aave"', 'market = "ave"', "protect[0].market: 'ave' is not defined"),
        ('protocol = "aave-v3"', 'protocol = "aave-v9"', "markets.aave.protocol"),
        ('rpc = ["http://127.0.0.1:8545"]', "rpc = []", "chains.local.rpc"),
        ('rpc = ["http://127', 'rpc = ["ftp://127', "must start with http"),
        ("[policy]", "[policy", "is not valid TOML"),
        ('max_spend_per_owner_day = "10000"', "", "protect[0].max_spend_per_owner_day: is required"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert GOOD.count(right) >= 1
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD.replace(right, wrong)))
    assert said in str(caught.value)
    assert "keeper.toml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file"):
        load(tmp_path / "nothing.toml")


ORACLES = """
[markets.aave.oracles.WETH]
heartbeat = 3600
min_price = "100"
max_price = 100000
deviation = 0.02
second_source = { kind = "uniswap-v3", address = "0x5FbDB2315678afecb367f032d93F642f64180aa3", window = 900 }
"""


def test_what_is_known_of_a_price_is_read_exactly(tmp_path: Path) -> None:
    market = load(write(tmp_path, GOOD + ORACLES)).markets["aave"]
    assert market.unknown_oracles == "watch"
    oracle = market.oracles["WETH"]
    assert (oracle.heartbeat, oracle.min_price, oracle.deviation) == (3600, Decimal(100), Decimal("0.02"))
    assert (
        oracle.second_source is not None
        and oracle.second_source.kind == "uniswap-v3"
        and oracle.second_source.window == 900
    )


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('min_price = "100"', 'min_price = "200000"', "min_price must lie below max_price"),
        ("deviation = 0.02", "deviation = 2", "deviation"),
        ('kind = "uniswap-v3"', 'kind = "uniswap"', "chainlink"),
        ("heartbeat = 3600", "heartbeats = 3600", "did you mean 'heartbeat'"),
    ],
)
def test_wrong_words_about_a_price_are_named(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(write(tmp_path, GOOD + ORACLES.replace(right, wrong)))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("warn = 1.10", "warn = -1", "policy.warn: must be greater than 0 (got"),
        ("target = 1.25", "target = 125", "protect[0].target: must be less than 100"),
        (
            "chain_id = 31337",
            'chain_id = "main"',
            "chains.local.chain_id: must be a whole number (got 'main')",
        ),
        ('rpc = ["http://127.0.0.1:8545"]', "rpc = []", "chains.local.rpc: must name at least 1"),
        ('rpc = ["http://127.0.0.1:8545"]', 'rpc = "http://x"', "chains.local.rpc: must be a list"),
        (
            "[store]",
            '[markets.morpho]\nprotocol = "morpho-blue"\nchain = "local"\n'
            'address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"\nmarket_ids = ["0x12"]\n[store]',
            "markets.morpho.market_ids[0]: write 0x and 64 hexadecimal digits (got '0x12')",
        ),
        (
            "from_block = 0",
            'from_block = 0\nloan_prices = { WETH = "2500" }',
            "markets.aave: loan_prices belongs to protocol = 'morpho-blue'",
        ),
        (
            "[[alerts]]",
            '[[protect]]\nmarket = "aave"\naccount = "0x5FbDB2315678afecb367f032d93F642f64180aa3"\n'
            "max_spend_per_owner_day = 1\n[[alerts]]",
            "F642f64180aa3 of aave is listed twice, here and as protect[0]",
        ),
        (
            "target = 1.25",
            'target = 1.25\nsteps = [{ action = "give", asset = "WETH" }]',
            "protect[0].steps[0].action: must be one of 'repay', 'add_collateral', 'reduce', 'close' "
            "(got 'give')",
        ),
    ],
)
def test_a_mistake_is_said_in_plain_words(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD.replace(right, wrong)))
    assert said in str(caught.value)
    assert "Input should" not in str(caught.value)


def test_a_missing_file_says_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keeper init ADDRESS --rpc URL"):
        load(tmp_path / "nothing.toml")


def test_two_policies_of_one_account_are_refused(tmp_path: Path) -> None:
    entry = '[[policy.accounts]]\nmarket = "aave"\naccount = "0x5FbDB2315678afecb367f032d93F642f64180aa3"\n'
    with pytest.raises(ConfigError, match=r"policy.accounts\[1\]: 0x5F.* is listed twice"):
        load(write(tmp_path, GOOD + entry + entry))


SECRET = "kEy5f3a9c1"
MISTYPED = [
    "https:/relay.example/{}",
    "htps://relay.example/{}",
    "relay.example/{}",
    "https//relay.example/{}",
    "https://relay.example:port/{}",
    "https://relay.example:99999/{}",
    "https://[relay/{}",
    "https:///{}",
    "https://relay .example/{}",
    "wss;//relay.example/{}",
]


@pytest.mark.parametrize("address", MISTYPED)
@pytest.mark.parametrize(
    "lines",
    [
        '[chains.local.relay]\nurl = "{}"',
        '[chains.local]\nrelay = "{}"',
        '[chains.local.relay]\nurl = "https://relay"\nupdates = "{}"',
        '[chains.local.relay]\nurl = "https://relay"\nkind = "{}"',
        '[chains.local]\nws = "{}"',
        '[chains.local]\nws = ["{}"]',
        '[chains.local]\n"{}" = 1',
        '[chains.local]\nsequencer_feed = "{}"',
        '[markets.perps]\nprotocol = "synthetix-v3"\nchain = "local"\n'
        'address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"\nsynthetix_v3.price_service = "{}"',
    ],
)
def test_a_mistyped_address_of_a_service_is_never_repeated(tmp_path: Path, lines: str, address: str) -> None:
    section, _, rest = lines.partition("\n")
    text = GOOD
    if section == "[chains.local]":
        text = text.replace("[chains.local]", f"[chains.local]\n{rest.format(address.format(SECRET))}", 1)
    else:
        text += lines.format(address.format(SECRET)) + "\n"
    with pytest.raises(ConfigError) as error:
        load(write(tmp_path, text))
    assert SECRET not in str(error.value) + str(error.value.what)


@pytest.mark.parametrize("address", [*MISTYPED, "https://relay.example:0x50/{}"])
def test_a_mistyped_node_is_never_repeated(tmp_path: Path, address: str) -> None:
    for value in (f'["{address.format(SECRET)}"]', f'"{address.format(SECRET)}"'):
        with pytest.raises(ConfigError) as error:
            load(write(tmp_path, GOOD.replace('["http://127.0.0.1:8545"]', value)))
        assert SECRET not in str(error.value) + str(error.value.what)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2500", Decimal(2500)),
        ("0.31", Decimal("0.31")),
        ('"2500.5"', Decimal("2500.5")),
        ('"WETH"', "WETH"),
        ('"aave.WETH"', "aave.WETH"),
        ('"0x5FbDB2315678afecb367f032d93F642f64180aa3"', "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
    ],
)
def test_a_native_price_is_a_number_or_names_what_tells_it(tmp_path: Path, said: str, meant: object) -> None:
    text = GOOD.replace("[chains.local]", f"[chains.local]\nnative_price = {said}")
    assert load(write(tmp_path, text)).chains["local"].native_price == meant


@pytest.mark.parametrize("said", ["0", "-1", '"0"', '""', "1e13", "true"])
def test_a_native_price_of_nothing_is_refused(tmp_path: Path, said: str) -> None:
    text = GOOD.replace("[chains.local]", f"[chains.local]\nnative_price = {said}")
    with pytest.raises(ConfigError, match="native_price"):
        load(write(tmp_path, text))
