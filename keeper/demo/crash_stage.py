"""The stage of `keeper demo --all`: four protocols on one chain, their borrowers, one signer, one owner."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_utils.crypto import keccak

from keeper.demo.exchange import DemoExchange, open_exchange
from keeper.demo.exchange import settings as exchange_settings
from keeper.demo.running import CONFIG, RECORD, Ground
from keeper.demo.stage import BLOCK_SECONDS, GENESIS, POLICY, protect, write_keystore
from keeper.localchain import four_markets
from keeper.localchain.aave_market import demo_market
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.four_markets import FIRST_PRICE, PERCENT, PROTOCOLS, FourMarkets
from keeper.localchain.transactions import send_batch
from keeper.model.money import WAD

EACH = 6
OWNER = "0x" + "0a" * 20
OWNER_IN = ("aave", "morpho", "comet")
BUDGET = 60_000
"""Dollars per day for the one owner, in all markets together."""
MONTH = 30 * 24 * 3600
_DOLLARS = 2_000_000
_SAFEST, _RISKIEST = 64, 95


@dataclass(frozen=True)
class Person:
    """An account: its market, its owner, and its part in the story."""

    market: str
    owner: str
    label: str


@dataclass(frozen=True)
class CrashStage(Ground):
    """Everything set up before prices begin to fall."""

    markets: FourMarkets
    people: tuple[Person, ...]
    exchange: DemoExchange


@contextmanager
def crash_stage(seed: int, folder: Path) -> Iterator[CrashStage]:
    """A running local chain with all markets open; it is stopped when the context ends."""
    with Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil:
        markets = four_markets.deploy(anvil)
        key = Account.from_key(keccak(text=f"keeper demo --all {seed}"))
        prices = {spec.symbol: spec.price for spec in demo_market()[0]}
        exchange = open_exchange(anvil, markets.aave, prices, key.address)
        people = _open(markets, random.Random(seed), key.address)  # noqa: S311  (a market day, not a secret)
        dollars = markets.mint("USDC", key.address, _DOLLARS * 10**6)
        send_batch(anvil.rpc, [dollars], markets.aave.errors)
        anvil.set_balance(key.address, 200 * WAD)
        anvil.set_automine(False)
        # Interest of a month, so that a wrong index shows.
        anvil.set_next_timestamp(GENESIS + MONTH)
        anvil.mine()
        anvil.set_timestamp_interval(BLOCK_SECONDS)
        anvil.set_automine(True)
        send_batch(anvil.rpc, [markets.held(FIRST_PRICE)])
        anvil.set_automine(False)
        write_keystore(folder, key)
        chain, venue = exchange_settings(exchange, markets.aave)
        (folder / CONFIG).write_text(_config(markets, key.address, chain, venue))
        yield CrashStage(anvil, folder, key.address, anvil.block_number(), markets, people, exchange)


def _open(markets: FourMarkets, dice: random.Random, keeper: str) -> tuple[Person, ...]:
    """Open in each market accounts from careful to reckless, an owner in three of them, and the keeper's own
    trove."""
    people = []
    for place, market in enumerate(PROTOCOLS):
        parts = sorted(dice.uniform(_SAFEST, _RISKIEST) for _ in range(EACH))
        for number, part in enumerate(parts):
            who = f"0x{0xACC0 << 144 | place << 64 | number:040x}"
            ether = dice.randint(5, 40) * WAD
            _opened(markets, market, who, ether, int(part * PERCENT))
            people.append(Person(market, who, f"owes {part:.0f} % of its limit"))
    for market in OWNER_IN:
        _opened(markets, market, OWNER, 20 * WAD, 85 * PERCENT)
        people.append(Person(market, OWNER, "protected owner"))
    _opened(markets, "troves", keeper, 20 * WAD, 85 * PERCENT)
    people.append(Person("troves", keeper.lower(), "the keeper's own trove"))
    return tuple(people)


def _opened(markets: FourMarkets, market: str, who: str, ether: int, part: int) -> None:
    txs = [markets.held(FIRST_PRICE), *markets.open(market, who, ether, part)]
    send_batch(markets.anvil.rpc, txs, markets.aave.errors)


def _config(markets: FourMarkets, keeper: str, chain: str, venue: str) -> str:
    protected = "\n".join(
        protect(market, account, "1.20", BUDGET, step, asset)
        for market, account, step, asset in (
            *((market, OWNER, "repay", "USDC") for market in OWNER_IN),
            ("troves", keeper, "add_collateral", "native"),
        )
    )
    return f"""\
[chains.local]
chain_id = 31337
rpc = ["{markets.anvil.url}"]
block_time = {BLOCK_SECONDS}
poll = 0.02
{chain}
{venue}
{four_markets.settings(markets)}
{POLICY}
{protected}
[service]
record = "{RECORD}"
"""
