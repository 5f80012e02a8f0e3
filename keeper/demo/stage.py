"""The stage: chain, market, people, a funded key, and the configuration an operator would write."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from keeper.demo.cast import Cast, cast, opening
from keeper.demo.exchange import DemoExchange, open_exchange
from keeper.demo.exchange import settings as exchange_settings
from keeper.demo.hostile import Feeds, beats, install, settings, transactions
from keeper.demo.running import ALERTS, CONFIG, KEYSTORE, PASSWORD, RECORD, Ground
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, ReserveSpec, demo_market
from keeper.localchain.aave_v302 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import queue, send_batch
from keeper.localchain.world.node import WorldNode, serving
from keeper.localchain.world.profiles import Profile
from keeper.model.money import Rate

GENESIS = 1_760_000_000
BLOCK_SECONDS = 12
SEASON = 120 * 24 * 3600
_DOLLARS = 3_000_000
# With an exchange the keeper borrows what liquidations need; its own money is for the owners it protects.
TOP_UP_MONEY = ("WETH", "DAI")


DOLLARS = Rate.of(8, Decimal(1))
"""Aave counts in dollars of 8 decimals, and so does the keeper of the demo."""


@dataclass(frozen=True)
class Stage(Ground):
    """Everything set up before the day begins."""

    market: AaveDeployment
    people: Cast
    specs: list[ReserveSpec]
    feeds: Feeds | None = None
    """On a hostile day, the feeds that the director may make lie."""
    exchange: DemoExchange | None = None
    """On an ordinary day, the exchange where seizures are sold. On a hostile one the keeper spends its own
    tokens."""
    world: Profile | None = None
    """What the keeper's nodes and chain do differently; the demo itself asks Anvil."""


@contextmanager
def stage(seed: int, folder: Path, *, hostile: bool = False, world: Profile | None = None) -> Iterator[Stage]:
    """A running local chain with the market open; it is stopped when the context ends."""
    specs, emodes = demo_market()
    options = AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)
    with ExitStack() as running:
        anvil = running.enter_context(Anvil(world.options(options) if world else options))
        market = deploy(anvil.rpc, specs, emodes)
        feeds = install(anvil, market, specs) if hostile else None
        people = cast(seed, specs)
        key = Account.from_key(keccak(text=f"keeper demo {seed}"))
        exchange = None
        if not hostile:
            prices = {spec.symbol: spec.price for spec in specs}
            exchange = open_exchange(anvil, market, prices, key.address)
        txs = opening(market, people, specs)
        for spec in specs:
            if exchange is not None and spec.symbol not in TOP_UP_MONEY:
                continue
            reserve = market.reserves[spec.symbol]
            amount = _DOLLARS * 10**8 * 10**reserve.decimals // spec.price
            txs.append(act.mint(market, reserve, key.address, amount))
        send_batch(anvil.rpc, txs, market.errors)
        anvil.set_balance(key.address, 10 * 10**18)
        anvil.set_automine(False)
        # Interest of a season, so that a wrong index shows.
        anvil.set_next_timestamp(GENESIS + SEASON)
        anvil.mine()
        anvil.set_timestamp_interval(BLOCK_SECONDS)
        if feeds is not None:
            opening_beat = beats(seed, specs)[0]
            for tx in transactions(feeds, opening_beat, GENESIS + SEASON + BLOCK_SECONDS):
                queue(anvil, tx)
        first = anvil.mine()
        write_keystore(folder, key)
        known = settings(feeds) if feeds else ""
        chain, venue = exchange_settings(exchange, market) if exchange else ("", "")
        nodes = [anvil.url]
        if world is not None:
            world.prepare(anvil, key.address)
            dice = random.Random(seed)  # noqa: S311  (a market day, not a secret)
            served = [WorldNode(anvil.url, found) for found in world.nodes(dice)]
            nodes = [running.enter_context(serving(each)).url for each in served]
            chain = f"timeout = {world.timeout}\n{world.settings}{chain}"
        if world is None or not world.learns_block_time:
            chain = f"block_time = {BLOCK_SECONDS}\n{chain}"
        text = _config(nodes, market, people, chain, venue)
        (folder / CONFIG).write_text(text + known + (world.more if world else ""))
        yield Stage(anvil, folder, key.address, first, market, people, specs, feeds, exchange, world)


def write_keystore(folder: Path, key: LocalAccount) -> None:
    path = folder / KEYSTORE
    path.write_text(json.dumps(key.encrypt(PASSWORD, kdf="pbkdf2", iterations=1000)))
    path.chmod(0o600)


POLICY = f"""\
[store]
url = "sqlite:///keeper.db"

[signer]
keystore = "{KEYSTORE}"

[policy]
warn = 1.10
top_up = 1.05
liquidate = 1.0
min_profit = -25    # the demo also clears dust that does not pay for its gas
realize_bad_debt = true
max_bad_debt_loss = 100
"""
"""The configuration of store, signer and thresholds in every demo."""


def protect(market: str, account: str, target: str, most: int, action: str, asset: str) -> str:
    """The configuration of an account that is topped up in one way, for at most `most` dollars per day."""
    return f"""\
[[protect]]
market = "{market}"
account = "{account}"
target = {target}
max_spend_per_owner_day = "{most}"
steps = [{{ action = "{action}", asset = "{asset}" }}]
"""


def _config(nodes: list[str], market: AaveDeployment, people: Cast, chain: str, venue: str) -> str:
    return f"""\
[chains.local]
chain_id = 31337
rpc = {json.dumps(nodes)}
poll = 0.02
{chain}
{venue}
[markets.aave]
protocol = "aave-v3"
chain = "local"
address = "{market.pool}"
from_block = 0

{POLICY}
{protect("aave", people.saver, "1.25", 100_000, "add_collateral", "WETH")}
{protect("aave", people.repayer, "1.20", 100_000, "repay", "DAI")}
[service]
record = "{RECORD}"
alerts_file = "{ALERTS}"
"""
