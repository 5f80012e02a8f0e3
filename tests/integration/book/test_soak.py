"""Block after block of random actions, transfers, new reserves and reorgs: the book ends as the chain."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from keeper.chain import blocks
from keeper.config import Settings
from keeper.localchain.aave_market import ReserveSpec
from keeper.localchain.transactions import Tx, queue
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import build, policies_of, pools
from keeper.service.watching import breaches
from keeper.service.watching.market_valuation import MarketRequest
from keeper.service.watching.value import value_together
from keeper.store.database import open_store
from tests.conftest import LocalMarket
from tests.support import random_market as rnd
from tests.support.crowd import Crowd
from tests.support.crowd import crowd as make_crowd
from tests.support.listing import list_reserve

pytestmark = pytest.mark.integration

BLOCKS = 2_000 if os.environ.get("KEEPER_SOAK") else 200
ACCOUNTS = 60
WAD = 10**18


@dataclass
class Soak:
    """A keeper beside a crowd that never rests."""

    crowd: Crowd
    settings: Settings
    deciding: ChainLoop
    dice: random.Random
    reorgs: int = 0
    listed: int = 0
    touched: int = 0
    seen: set[str] = field(default_factory=set)

    def block(self, number: int) -> None:
        """One more block, of whatever kind, and a tick at it."""
        crowd, anvil = self.crowd, self.crowd.anvil
        if number % 67 == 50:
            local = LocalMarket(anvil, crowd.market)
            spec = ReserveSpec(f"N{self.listed}", 18, 5_00000000, 5000, 6000, 10800)
            anvil.set_automine(True)
            reserve = list_reserve(local, spec)
            anvil.set_automine(False)
            self.listed += 1
            queue(anvil, _mint(crowd, reserve.asset))
        elif number % 13 == 12:
            anvil.reorg(self.dice.randint(1, 4))
            self.reorgs += 1
        else:
            moves = list(rnd.restlessness(self.dice, crowd.market, crowd.specs, crowd.accounts))
            for tx in self.dice.sample(moves, min(4, len(moves))):
                queue(anvil, tx)
            for tx in list(rnd.new_prices(self.dice, crowd.market, crowd.specs, 0.05))[:2]:
                queue(anvil, tx)
        anvil.mine()
        self.tick()

    def tick(self) -> None:
        head = blocks.latest(self.deciding.pool)
        valued = self.deciding.value(head)
        self.deciding.judge(valued)
        for _, at in valued:
            assert at.acting, at.memory.watch_only
            assert at.refresh is not None
            assert not at.refresh.silent
            self.touched += len(at.refresh.touched)
        self.deciding.head = head

    def every_breach_was_seen(self) -> None:
        """The episodes that are open are those of the accounts that the pool itself puts below."""
        head, [run] = self.deciding.head, self.deciding.markets
        assert head is not None
        theirs = run.book.views(head, list(run.book.accounts))
        below = {a for a, v in theirs.items() if v.health is not None and v.health < WAD}
        opened = breaches.open_episodes(self.deciding.store, [run.name])[run.name]
        known = {account for account, threshold in opened.known if threshold == "liquidate"}
        assert below <= known
        # Interest until the next block may open some a block early.
        assert all(theirs[a].health is not None and (theirs[a].health or 0) < WAD * 1.001 for a in known)
        self.seen |= below

    def the_book_is_the_chain(self) -> None:
        """As one built from nothing, and each account valued as the pool values it."""
        [run] = self.deciding.markets
        head = self.deciding.head
        assert head is not None
        anew = build(self.settings, {"local": self.deciding.pool}, None)[0]
        [at] = value_together(self.deciding.reader, head, [MarketRequest(anew)])
        assert not isinstance(at, Exception)
        assert at.acting, at.memory.watch_only

        def staked(book: object) -> dict[str, object]:
            return {a: raw for a, raw in book.accounts.items() if raw.configuration}  # type: ignore[attr-defined]

        assert staked(run.book) == staked(anew.book)
        assert run.book.state == anew.book.state
        theirs = run.book.views(head, list(run.book.accounts))
        ours = run.adapter.valuer.value(run.book.state, run.book.accounts, head.timestamp)
        assert {v.account: v for v in ours} == theirs
        assert not run.book.unbalanced


def _mint(crowd: Crowd, asset: str) -> Tx:
    from keeper.localchain.calldata import calldata

    data = calldata("mint(address,uint256)", rnd.LENDER, 10**24)
    return {"from": crowd.market.acl_admin, "to": asset, "data": data}


@pytest.mark.parametrize("version", ["3.0.2", "3.6"])
def test_a_restless_chain_leaves_the_book_as_the_chain(version: str, tmp_path: Path) -> None:
    with make_crowd(version, 77, ACCOUNTS) as crowd:
        config = tmp_path / "keeper.toml"
        config.write_text(
            f'[chains.local]\nchain_id = 31337\nrpc = ["{crowd.anvil.url}"]\nblock_time = 12\n'
            f'[store]\nurl = "sqlite:///{tmp_path}/keeper.db"\n'
            f'[markets.aave]\nprotocol = "aave-v3"\nchain = "local"\naddress = "{crowd.market.pool}"\n'
        )
        settings = load(config)
        nodes, store = pools(settings), open_store(settings.store.url)
        markets = build(settings, nodes, store)
        own, policies = settings.of_chain("local"), policies_of(settings)
        deciding = ChainLoop(nodes["local"], store, own, policies, markets, "dry", None)
        soak = Soak(crowd, settings, deciding, random.Random(9))
        crowd.anvil.set_automine(False)
        for who in (*crowd.accounts, rnd.LENDER, crowd.market.acl_admin):
            crowd.anvil.set_balance(who, 10**24)
        soak.tick()
        for number in range(BLOCKS):
            soak.block(number)
            if number % 50 == 49:
                soak.every_breach_was_seen()
        soak.the_book_is_the_chain()
        # One is due every thirteenth block; now and then there is nothing above the block it would end at.
        assert soak.reorgs >= BLOCKS // 14
        assert soak.listed >= BLOCKS // 67
        assert soak.touched > BLOCKS
        assert soak.seen
        store.close()
