"""A keeper of any one protocol's market in a test's hands: real chain, real store; blocks come when the test
says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import col, select

from keeper.chain import blocks
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
from keeper.service.tick import ChainLoops
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.value import value
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.watching import Episode
from tests.support.ticks import work
from tests.support.world import BLOCK_SECONDS, write_keystore

MARKET = "m"


@dataclass
class Keeping:
    """`step()` mines a block and lets both loops work at it, as the daemon would."""

    anvil: Anvil
    settings: Settings
    store: Store
    deciding: ChainLoop
    actor: ExecutionLoop

    def __post_init__(self) -> None:
        self.loops = ChainLoops(self.deciding, self.actor)

    @property
    def payer(self) -> str:
        return self.actor.payer

    def send(self, txs: Sequence[Tx]) -> None:
        send_batch(self.anvil.rpc, list(txs))
        self.anvil.set_automine(False)

    def work(self) -> None:
        work(self.loops)

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

    def alerts(self, kind: str) -> list[Alert]:
        with self.store.session() as session:
            rows = session.exec(select(Alert).order_by(col(Alert.id))).all()
        return [row for row in rows if row.kind == kind]

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


def keeping(anvil: Anvil, market: str, folder: Path, more: str = "", chain: str = "") -> Keeping:
    """A live keeper of this market, with gas money."""
    key = write_keystore(folder)
    config = folder / "keeper.toml"
    config.write_text(config_text(anvil.url, market, more, chain))
    settings = load(config)
    store = open_store(settings.store.url)
    nodes = pools(settings)
    deciding = ChainLoop(
        pool=nodes["local"],
        store=store,
        settings=settings.of_chain("local"),
        policies=policies_of(settings),
        markets=build(settings, nodes, store),
        mode="live",
        payer=key.address,
    )
    anvil.set_balance(key.address, 10**20)
    return Keeping(
        anvil, settings, store, deciding, actor_of(settings, nodes["local"], store, key.address, Signer(key))
    )


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
