"""Bad input, one table: each case says what, where and what to do; nothing is sent and nothing is lost."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from keeper.store.database import open_store
from tests.conftest import LocalMarket
from tests.support.bad_input import OWNER, Bench, Case, furnish, lock, run
from tests.support.keeping import KEY, PASSWORD
from tests.support.rpc_proxy import deny, longest_range, proxy_to

pytestmark = pytest.mark.integration

Spoil = Callable[[Bench], None]
SCAN = ("scan",)


def swap(old: str, new: str) -> Spoil:
    return lambda bench: bench.replace(old, new)


def add(text: str) -> Spoil:
    def spoil(bench: Bench) -> None:
        bench.config.write_text(bench.config.read_text() + text)

    return spoil


def content(raw: bytes) -> Spoil:
    def spoil(bench: Bench) -> None:
        bench.config.write_bytes(raw)

    return spoil


def config(name: str, spoil: Spoil, *says: str) -> Case:
    """A mistake in the file: exit 2, the file named."""
    return Case(name, spoil, 2, ("keeper.toml", *says))


def key(name: str, spoil: Spoil, *says: str) -> Case:
    return Case(name, spoil, 2, says)


def node(name: str, spoil: Spoil, code: int, *says: str) -> Case:
    return Case(name, spoil, code, says, command=SCAN)


def rule(*rules: Callable[[dict[str, Any]], int | str | None]) -> Spoil:
    return lambda bench: bench.proxy.rules.extend(rules)


def nothing(_: Bench) -> None:
    """All is right so far."""


def keystore(raw: str) -> Spoil:
    def spoil(bench: Bench) -> None:
        bench.keystore.write_text(raw)

    return spoil


def no_keystore(bench: Bench) -> None:
    bench.keystore.unlink()


def keystore_folder(bench: Bench) -> None:
    bench.keystore.unlink()
    bench.keystore.mkdir()


def truncated_keystore(bench: Bench) -> None:
    content = json.loads(bench.keystore.read_text())
    content["crypto"]["ciphertext"] = content["crypto"]["ciphertext"][:10]
    bench.keystore.write_text(json.dumps(content))


def environment(**values: str) -> Spoil:
    return lambda bench: bench.environment.update(values)


def no_password(bench: Bench) -> None:
    bench.environment.clear()


def store(spoil: Spoil) -> Spoil:
    """Spoil a store that was good."""

    def both(bench: Bench) -> None:
        open_store(f"sqlite:///{bench.database}").close()
        spoil(bench)

    return both


def newer(bench: Bench) -> None:
    connection = sqlite3.connect(bench.database)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()


def impatiently_locked(bench: Bench) -> None:
    lock(bench)
    bench.replace("keeper.db", "keeper.db?timeout=1")


def cut(bench: Bench) -> None:
    bench.database.write_bytes(bench.database.read_bytes()[:9000])


def no_database(bench: Bench) -> None:
    bench.database.write_text("these are my notes, not a database; " * 100)


def folder(bench: Bench) -> None:
    bench.database.mkdir()


def address(of: Callable[[Bench], str]) -> Spoil:
    return lambda bench: bench.replace(bench.at.market.pool, of(bench))


def elsewhere(url: str) -> Spoil:
    return lambda bench: bench.replace(bench.proxy.url, url)


def silent(bench: Bench) -> None:
    """A node that takes a connection and never answers."""
    listener = bench.open.enter_context(socket.create_server(("127.0.0.1", 0)))
    bench.replace(bench.proxy.url, f"http://127.0.0.1:{listener.getsockname()[1]}")
    bench.replace("poll = 0.05", "timeout = 1")


def block_time(offset: int) -> Spoil:
    """The newest block is so many seconds from this machine's clock, where that is checked."""

    def spoil(bench: Bench) -> None:
        bench.at.anvil.set_next_timestamp(int(time.time()) + offset)
        bench.at.anvil.mine()
        bench.replace("block_time", "max_head_age = 300\nblock_time")

    return spoil


def init(*arguments: str) -> tuple[str, ...]:
    return ("init", *arguments, "--config", "/nowhere/keeper.toml")


def going_on(name: str, during: Spoil, *says: str) -> Case:
    """Something that happens to a running daemon, which says so and goes on."""
    return Case(name, nothing, 0, says, ("run",), until=True, during=during)


def no_space(bench: Bench) -> None:
    bench.space = 0x4000


def little_space(bench: Bench) -> None:
    """As much as the store has, and a little for its log: it opens, and is full in the first block."""
    bench.space = 0xA000


EOA = "0x00000000000000000000000000000000000E0A11"
TWICE = f'[[protect]]\nmarket = "aave"\naccount = "{OWNER}"\nmax_per_day = 1\n'
SEVERE = '[[alerts]]\nurl = "json://x/y"\nmin_severity = "bad"\n'
POSTGRES = "postgresql://127.0.0.1:9/x"
MISTYPED = "0x5FbDB2315678afecb367f032d93F642f64180aA3"

FILE = [
    config("unknown key", swap("warn =", "warm ="), "policy.warm: unknown key; did you mean 'warn'?"),
    config("unknown key of a chain", swap("chain_id =", "chainid ="), "did you mean 'chain_id'"),
    config("unknown key of a market", swap("address =", "adress ="), "did you mean 'address'"),
    config("unknown key of a step", swap("action =", "acton ="), "did you mean 'action'"),
    config("unknown section", swap("[policy]", "[polcy]"), "polcy: unknown key; did you mean 'policy'"),
    config("a word for a number", swap("chain_id = 31337", 'chain_id = "main"'), "chains.local.chain_id"),
    config("a fraction", swap("chain_id = 31337", "chain_id = 1.5"), "chains.local.chain_id"),
    config("a string for a list", swap("rpc = [", "rpc = 5 #["), "chains.local.rpc"),
    config("a list for a table", swap("[policy]", "policy = [1]\n[x]"), "policy"),
    config("a threshold that is a word", swap("warn = 1.10", 'warn = "high"'), "policy.warn", "'high'"),
    config("a negative threshold", swap("warn = 1.10", "warn = -1.1"), "policy.warn", "greater than 0"),
    config("a threshold that is no number", swap("warn = 1.10", "warn = nan"), "policy.warn"),
    config("a threshold without end", swap("warn = 1.10", "warn = inf"), "policy.warn"),
    config("a threshold in percent", swap("warn = 1.10", "warn = 110"), "policy.warn", "less than 100"),
    config(
        "gas in wei", add("[execution]\nmax_gas_price_gwei = 50000000000\n"), "execution.max_gas_price_gwei"
    ),
    config(
        "a cap in wei", swap('"100000"', '"100000000000000000000000"'), "protect[0].max_spend_per_owner_day"
    ),
    config("gas for nothing", swap("[policy]", "[policy]\nnative_price = 0"), "policy.native_price"),
    config("thresholds the wrong way round", swap("warn = 1.10", "warn = 1.01"), "warn ≥ top_up ≥ liquidate"),
    config("liquidating the healthy", swap("liquidate = 1.0", "liquidate = 1.02"), "no protocol allows it"),
    config("a target that ends nothing", swap("target = 1.25", "target = 1.01"), "target must not be below"),
    config("a word for an account", swap(f'"{OWNER}"', '"my wallet"'), "protect[0].account", "no address"),
    config("a mistyped address", swap(f'"{OWNER}"', f'"{MISTYPED}"'), "protect[0].account", "checksum"),
    config("a name for an address", swap(f'"{OWNER}"', '"vitalik.eth"'), "protect[0].account", "no address"),
    config("a market that is not there", swap('market = "aave"', 'market = "ave"'), "'ave' is not defined"),
    config("a chain that is not there", swap('chain = "local"', 'chain = "lokal"'), "'lokal' is not defined"),
    config(
        "no cap on spending",
        swap("max_spend_per_owner_day", "#"),
        "protect[0].max_spend_per_owner_day: is required",
    ),
    config("a negative cap", swap('"100000"', '"-5"'), "protect[0].max_spend_per_owner_day"),
    config("an unknown action", swap('"supply"', '"give"'), "protect[0].steps[0].action"),
    config("an unknown protocol", swap('"aave-v3"', '"aave-v9"'), "markets.aave.protocol", "aave-v3"),
    config("a block before the first", swap("[store]", "from_block = -1\n[store]"), "aave.from_block"),
    config("polling without a pause", swap("poll = 0.05", "poll = 0"), "chains.local.poll"),
    config("no node", swap("rpc = [", "rpc = [] #"), "chains.local.rpc"),
    config("a node that is no web address", swap("http://", "ftp://"), "must start with http"),
    config("an account twice", add(TWICE), "twice"),
    config("a severity that is none", add(SEVERE), "min_severity"),
    config("no TOML", swap("[policy]", "[policy"), "is not valid TOML"),
    config("a key twice", swap("warn = 1.10", "warn = 1.10\nwarn = 1.2"), "is not valid TOML"),
    config("an empty file", content(b""), "chains: is required", "markets: is required"),
    config("no text", content(b"\xff\xfe\x00c"), "cannot be read"),
    config("no file", lambda bench: bench.config.unlink(), "no such configuration file", "--config"),
    config("nonsense in the environment", environment(KEEPER_POLICY__WARN="abc"), "policy.warn", "'abc'"),
    Case("an unknown database", swap("sqlite:///", "oracle9:///"), 2, ("store.url", "postgresql://")),
    Case("an unknown channel", add('[[alerts]]\nurl = "nonsense"\n'), 2, ("alerts[0].url", "Apprise")),
    Case("nobody to sign", swap("[signer]\nkeystore", "[service]\nrecord"), 2, ("--live needs a key",)),
]
USAGE = [
    Case("an unknown command", nothing, 2, ("No such command",), command=("rum",)),
    Case("an unknown option", nothing, 2, ("No such option",), command=("scan", "--jason")),
    Case("no blocks", nothing, 2, ("--for-blocks",), command=("run", "--for-blocks", "0")),
    Case("explaining a word", nothing, 2, ("me", "address"), command=("explain", "me")),
    Case("an intent that never was", nothing, 2, ("there is no intent 7",), command=("history", "7")),
    Case("a shock without size", nothing, 2, ("WETH=-30%",), command=("fork", "--shock", "WETH")),
    Case(
        "funds that are a word",
        nothing,
        2,
        ("--funds", "is not a number"),
        command=("fork", "--funds", "all"),
    ),
    Case("init without a node", nothing, 2, ("--rpc: is missing",), command=init(EOA)),
    Case("init with a word", nothing, 2, ("--rpc",), command=init("pool", "--rpc", "pool")),
]
KEYS = [
    key("no keystore", no_keystore, "keystore.json", "no such keystore", "keeper key new"),
    key("a folder for a keystore", keystore_folder, "keystore.json", "cannot be read"),
    key("a keystore that is no JSON", keystore("hello"), "keystore.json", "no JSON"),
    key("JSON that is no keystore", keystore('{"a": 1}'), "keystore.json", "not a keystore"),
    key("a list for a keystore", keystore("[1]"), "keystore.json", "not a keystore"),
    key("a damaged keystore", truncated_keystore, "keystore.json", "password is wrong"),
    key("an empty keystore", keystore(""), "keystore.json", "no JSON"),
    key("a keystore open to all", lambda b: b.keystore.chmod(0o644), "open to others", "chmod 600"),
    key("a wrong password", environment(KEEPER_KEYSTORE_PASSWORD="guess"), "password is wrong"),
    key("no password", no_password, "password is missing", "KEEPER_KEYSTORE_PASSWORD"),
    key(
        "no password file",
        swap('"keystore.json"', '"keystore.json"\npassword_file = "pw"'),
        "pw",
        "password file cannot be read",
    ),
]
NODES = [
    node("an unreachable node", elsewhere("http://127.0.0.1:9"), 3, "127.0.0.1:9", "rpc"),
    node(
        "a node whose name nobody knows",
        elsewhere("http://node.invalid"),
        3,
        "node.invalid",
        "cannot be reached",
    ),
    node("a node that never answers", silent, 3, "did not answer", "in time"),
    node("another chain", swap("chain_id = 31337", "chain_id = 1"), 2, "serves chain 31337", "Correct"),
    node("a key that is refused", rule(lambda _: 401), 3, "HTTP 401", "rpc"),
    node("a node that is broken", rule(lambda _: 503), 3, "HTTP 503", "rpc"),
    node("a web page for a node", rule(lambda _: 200), 3, "broken JSON"),
    node("a node without logs", rule(deny("eth_getLogs")), 3, "eth_getLogs", "does not exist"),
    node("a node without calls", rule(deny("eth_call")), 3, "eth_call", "does not exist"),
    node("a node that refuses every range", rule(longest_range(0, "range too large")), 3, "range too large"),
]
ADDRESSES = [
    node("no contract", address(lambda b: EOA), 2, "markets.aave.address", "Aave v3 pool", "Pool"),
    node("a token", address(lambda b: b.at.market.reserves["WETH"].asset), 2, "markets.aave.address"),
    node("the provider", address(lambda b: b.at.market.addresses_provider), 2, "markets.aave.address"),
    Case("another contract while running", address(lambda b: b.at.market.oracle), 2, ("Aave v3 pool",)),
]
STORES = [
    Case("a store of a newer version", store(newer), 2, ("keeper.db", "newer keeper", "Install")),
    Case("a locked store", store(impatiently_locked), 3, ("keeper.db", "locked", "Another process")),
    Case("a truncated store", store(cut), 3, ("keeper.db", "malformed", "restore a copy")),
    Case("notes for a store", store(no_database), 3, ("keeper.db", "not a database", "move it aside")),
    Case("a full disk", no_space, 3, ("keeper.db", "free some space")),
    Case("a folder for a store", folder, 3, ("keeper.db", "cannot be used")),
    Case("a store in no folder", swap("keeper.db", "none/keeper.db"), 3, ("none", "exists")),
    Case("no database server", swap("sqlite:///keeper.db", POSTGRES), 3, ("127.0.0.1:9",)),
]
LIVE = ("run", "--live")
SAME = "goes on with what it started with"
GOING_ON = [
    Case("a clock an hour ahead, or a node behind", block_time(-3600), 0, ("held", "NTP"), LIVE, until=True),
    Case("a clock an hour behind", block_time(3600), 0, ("held", "NTP"), LIVE, until=True),
    going_on("a changed configuration", swap("warn = 1.10", "warn = 1.2"), "config_changed", SAME, "restart"),
    going_on("a configuration spoilt", content(b"[policy"), "config_changed", SAME, "is not valid TOML"),
    going_on("a configuration removed", lambda b: b.config.unlink(), "no such configuration file", SAME),
    going_on("a node that falls silent", rule(lambda _: 503), "chain_unreachable", "HTTP 503"),
    Case("a disk that fills up", store(little_space), 3, ("store failed",), LIVE, until=True),
]
CASES = [*FILE, *USAGE, *KEYS, *NODES, *ADDRESSES, *STORES, *GOING_ON]


@pytest.fixture
def bench(aave_v302: LocalMarket, tmp_path: Path) -> Iterator[Bench]:
    place = tmp_path / "keeper"
    place.mkdir()
    with proxy_to(aave_v302.anvil.url) as proxy, ExitStack() as stack:
        yield furnish(aave_v302, proxy, place, stack)


def test_without_a_mistake_this_keeper_would_send(bench: Bench) -> None:
    code, said = run(bench, Case("good", nothing, 0, ()))
    assert code == 0, said
    assert bench.proxy.counts()["eth_sendRawTransaction"] == 2, "approve and supply"


def test_there_are_at_least_fifty_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_said_and_nothing_is_sent_or_lost(bench: Bench, case: Case) -> None:
    case.spoil(bench)
    before, nonce = bench.files(), bench.nonce()
    code, said = run(bench, case)
    assert code == case.code, said
    for words in case.says:
        assert words in said, said
    assert "Traceback" not in said, said
    assert KEY[2:] not in said and PASSWORD not in said
    assert not bench.proxy.counts()["eth_sendRawTransaction"] and bench.nonce() == nonce
    after = bench.files()
    changed = {"keeper.db", *(["keeper.toml"] if case.during else [])} if case.until else set()
    kept = {name: raw for name, raw in before.items() if name not in changed}
    assert {name: after.get(name) for name in kept} == kept
