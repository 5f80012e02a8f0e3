"""A keeper of any one protocol's market in a test's hands: real chain, real store; blocks come when the test
says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlmodel import col, select

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.signer import Signer
from keeper.config import Settings
from keeper.execution.loop import ExecutionLoop
from keeper.localchain.anvil import Anvil
from keeper.localchain.transactions import Tx, queue, send_batch
from keeper.model.valuation import Valuation
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.execution import actor_of
from keeper.service.markets import Market, build, policies_of, pools
from keeper.service.reporting.record import Recorder
from keeper.service.tick import ChainLoops
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.value import value
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.watching import Episode
from tests.support.ticks import work

MARKET = "m"
PASSWORD = "correct horse"
KEY = "0x" + "5e" * 32
BLOCK_SECONDS = 12


@dataclass
class Keeping:
    """`step()` mines a block and lets both loops work at it, as the daemon would."""

    anvil: Anvil
    folder: Path
    settings: Settings
    store: Store
    deciding: ChainLoop
    actor: ExecutionLoop
    heads: list[Head] = field(default_factory=list, kw_only=True)
    """Those that both loops worked at."""

    def __post_init__(self) -> None:
        self.loops = ChainLoops(self.deciding, self.actor)

    @property
    def payer(self) -> str:
        return self.actor.payer

    def send(self, txs: Sequence[Tx]) -> None:
        send_batch(self.anvil.rpc, list(txs))
        self.anvil.set_automine(False)

    def work(self) -> None:
        """Both loops at the present head."""
        head = work(self.loops)
        if head is not None:
            self.heads.append(head)

    def step(self, txs: Sequence[Tx] = ()) -> None:
        """A block with these transactions in it."""
        for tx in txs:
            queue(self.anvil, tx)
        self.anvil.mine()
        self.work()

    def intents(self) -> list[Intent]:
        with self.store.session() as session:
            return list(session.exec(select(Intent).order_by(col(Intent.id))).all())

    def transactions(self) -> list[Transaction]:
        with self.store.session() as session:
            return list(session.exec(select(Transaction).order_by(col(Transaction.id))).all())

    def episodes(self, threshold: str) -> list[Episode]:
        with self.store.session() as session:
            rows = session.exec(select(Episode).order_by(col(Episode.id))).all()
        return [row for row in rows if row.threshold == threshold]

    def alerts(self, kind: str | None = None) -> list[Alert]:
        with self.store.session() as session:
            rows = session.exec(select(Alert).order_by(col(Alert.id))).all()
        return [row for row in rows if kind is None or row.kind == kind]

    def valuation(self, account: str) -> Valuation:
        """The contract's own view now."""
        [run] = self.deciding.markets
        return run.book.views(blocks.latest(self.deciding.pool), [account])[account]


def config_text(url: str, market: str, more: str = "", chain: str = "") -> str:
    return f"""\
[chains.local]
chain_id = 31337
rpc = ["{url}"]
block_time = {BLOCK_SECONDS}
poll = 0.05
{chain}
[markets.{MARKET}]
chain = "local"
{market}
[store]
url = "sqlite:///keeper.db"
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


def loops_of(folder: Path, text: str, *, live: bool) -> tuple[Settings, Store, ChainLoop, ExecutionLoop]:
    """Both loops of the chain `local` as this configuration has them, with the tests' key."""
    config = folder / "keeper.toml"
    key = write_keystore(folder)
    config.write_text(text)
    settings = load(config)
    store = open_store(settings.store.url)
    nodes = pools(settings)
    deciding = ChainLoop(
        pool=nodes["local"],
        store=store,
        settings=settings.of_chain("local"),
        policies=policies_of(settings),
        markets=build(settings, nodes, store),
        mode="live" if live else "dry",
        payer=key.address,
        recorder=Recorder(settings.service.record) if settings.service.record else None,
    )
    signer = Signer(key) if live else None
    return settings, store, deciding, actor_of(settings, nodes["local"], store, key.address, signer)


def keeping(anvil: Anvil, market: str, folder: Path, more: str = "", chain: str = "") -> Keeping:
    """A live keeper of this market, with gas money."""
    found = loops_of(folder, config_text(anvil.url, market, more, chain), live=True)
    kept = Keeping(anvil, folder, *found)
    anvil.set_balance(kept.payer, 10**20)
    return kept


def reading(anvil: Anvil, market: str, folder: Path, store: bool = False) -> Market:
    """The market alone, for looking at it; with its own store where it is to remember."""
    config = folder / "reading.toml"
    config.write_text(config_text(anvil.url, market))
    settings = load(config)
    kept = open_store(settings.store.url) if store else None
    [run] = build(settings, pools(settings), kept)
    return run


def valued(run: Market) -> MarketValuation:
    return value(run, blocks.latest(run.book.pool))
