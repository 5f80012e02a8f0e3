"""A keeper in a test's hands: real chain, real market, real store; blocks come when the test says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlmodel import col, select

from keeper.chain.blocks import Head
from keeper.chain.signer import Signer
from keeper.config import Settings
from keeper.execution.loop import ExecutionLoop
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, as_int
from keeper.localchain.transactions import Tx, queue, send_batch
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.execution import actor_of
from keeper.service.markets import build, policies_of, pools
from keeper.service.reporting.record import Recorder
from keeper.service.tick import ChainLoops
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent, Transaction
from tests.support.ticks import work

PASSWORD = "correct horse"
KEY = "0x" + "5e" * 32
BLOCK_SECONDS = 12
LENDER = "0x" + "11" * 20


def account(number: int) -> str:
    return f"0x{0xA11CE << 140 | number:040x}"


@dataclass
class World:
    """`step()` mines a block and lets both loops work at it, as the daemon would."""

    anvil: Anvil
    market: AaveDeployment
    folder: Path
    config: Path
    settings: Settings
    store: Store
    deciding: ChainLoop
    actor: ExecutionLoop
    live: bool
    heads: list[Head] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loops = ChainLoops(self.deciding, self.actor)

    @property
    def payer(self) -> str:
        return self.actor.payer

    def send(self, *txs: Tx) -> None:
        send_batch(self.anvil.rpc, list(txs), self.market.errors)
        self.anvil.set_automine(False)

    def queue_price(self, symbol: str, price: int) -> None:
        """A feed's answer that the next block will bring."""
        queue(self.anvil, act.set_price(self.market, self.market.reserves[symbol], price))

    def work(self) -> None:
        """Both loops at the present head."""
        head = work(self.loops)
        if head is not None:
            self.heads.append(head)

    def step(self, prices: dict[str, int] | None = None) -> None:
        for symbol, price in (prices or {}).items():
            self.queue_price(symbol, price)
        self.anvil.mine()
        self.work()

    def health(self, who: str, block: str = "latest") -> int:
        data = calldata("getUserAccountData(address)", who)
        answer = self.anvil.rpc.text("eth_call", {"to": self.market.pool, "data": data}, block)
        return int(answer[2 + 64 * 5 : 2 + 64 * 6], 16)

    def token(self, symbol: str, signature: str, *arguments: object) -> int:
        data = calldata(signature, *arguments)
        call: dict[str, Json] = {"to": self.market.reserves[symbol].asset, "data": data}
        return as_int(self.anvil.rpc.call("eth_call", call, "latest"))

    def allowance(self, symbol: str) -> int:
        return self.token(symbol, "allowance(address,address)", self.payer, self.market.pool)

    def balance(self, symbol: str) -> int:
        return self.token(symbol, "balanceOf(address)", self.payer)

    def intents(self) -> list[Intent]:
        with self.store.session() as session:
            return list(session.exec(select(Intent).order_by(col(Intent.id))).all())

    def transactions(self) -> list[Transaction]:
        with self.store.session() as session:
            return list(session.exec(select(Transaction).order_by(col(Transaction.id))).all())

    def alerts(self, kind: str | None = None) -> list[Alert]:
        with self.store.session() as session:
            rows = session.exec(select(Alert).order_by(col(Alert.id))).all()
        return [row for row in rows if kind is None or row.kind == kind]


def config_text(
    anvil: Anvil,
    market: AaveDeployment,
    more: str = "",
    store: str = "",
    market_more: str = "",
    rpc: str = "",
    chain_more: str = "",
) -> str:
    return f"""\
[chains.local]
chain_id = 31337
rpc = ["{rpc or anvil.url}"]
block_time = {BLOCK_SECONDS}
poll = 0.05
{chain_more}
[markets.aave]
protocol = "aave-v3"
chain = "local"
address = "{market.pool}"
{market_more}
[store]
url = "{store or "sqlite:///keeper.db"}"
[signer]
keystore = "keystore.json"
{more}
"""


def write_keystore(folder: Path) -> LocalAccount:
    key: LocalAccount = Account.from_key(KEY)
    path = folder / "keystore.json"
    path.write_text(json.dumps(key.encrypt(PASSWORD, kdf="pbkdf2", iterations=100)))
    path.chmod(0o600)
    return key


def open_market(anvil: Anvil, market: AaveDeployment, *, dollars: int = 10_000_000) -> None:
    """Liquidity of every asset from a lender, and blocks that come only when asked for."""
    prices = {"WETH": 2500, "WBTC": 60000, "wstETH": 2920}
    txs: list[Tx] = []
    for symbol, reserve in market.reserves.items():
        amount = dollars * 10**reserve.decimals // prices.get(symbol, 1)
        txs += act.mint_and_supply(market, reserve, LENDER, amount)
    send_batch(anvil.rpc, txs, market.errors)
    anvil.set_automine(False)
    anvil.set_timestamp_interval(BLOCK_SECONDS)


def world(
    anvil: Anvil,
    market: AaveDeployment,
    folder: Path,
    more: str = "",
    *,
    live: bool = True,
    store: str = "",
    market_more: str = "",
    rpc: str = "",
    chain_more: str = "",
) -> World:
    """A keeper for this market; a second one in the same folder shares store and key."""
    config = folder / "keeper.toml"
    key = write_keystore(folder)
    config.write_text(config_text(anvil, market, more, store, market_more, rpc, chain_more))
    settings = load(config)
    kept = open_store(settings.store.url)
    nodes = pools(settings)
    recorder = Recorder(settings.service.record) if settings.service.record else None
    deciding = ChainLoop(
        pool=nodes["local"],
        store=kept,
        settings=settings.of_chain("local"),
        policies=policies_of(settings),
        markets=build(settings, nodes, kept),
        mode="live" if live else "dry",
        payer=key.address,
        recorder=recorder,
    )
    signer = Signer(key) if live else None
    actor = actor_of(settings, nodes["local"], kept, key.address, signer)
    return World(anvil, market, folder, config, settings, kept, deciding, actor, live)
