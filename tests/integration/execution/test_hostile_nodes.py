"""Hundreds of blocks behind nodes that are slow, refuse, cut answers off, lag, lose answers and hold
transactions back: nothing wrong is done, nothing lost, nothing twice, and the keeper catches up."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_utils.abi import event_signature_to_log_topic
from sqlalchemy.exc import SQLAlchemyError

from keeper.chain.node import NodeError
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.errors import KeeperError
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.rpc import as_dict, as_list
from keeper.service.daemon import Daemon
from keeper.store.tables.watching import ChainStatus
from tests.integration.execution.conftest import CRASH, WELL, Fresh
from tests.support.faulty_node import FAULTS, FaultyNode, faulty, random_faults
from tests.support.liquidations import liquidations
from tests.support.positions import ether_for_dollars, fund, protect
from tests.support.world import World, account, world

pytestmark = pytest.mark.integration

SOAK = bool(os.environ.get("KEEPER_SOAK"))
BLOCKS = 300 if SOAK else 30
SEED = int(os.environ.get("KEEPER_SEED", "7"))
WAD = 10**18
OWNER = account(1)
_SUPPLY = "0x" + event_signature_to_log_topic("Supply(address,address,address,uint256,uint16)").hex()


@dataclass
class Storm:
    """A keeper with two bad nodes, and the dice that say what happens next."""

    w: World
    daemon: Daemon
    nodes: list[FaultyNode]
    dice: random.Random
    rounds: Counter[str] = field(default_factory=Counter)
    accounts: int = 0

    def block(self, number: int) -> None:
        """One block, with what befalls it."""
        for node in self.nodes:
            if self.dice.random() < 0.1:
                node.behind = self.dice.randint(1, 4)
            elif self.dice.random() < 0.4:
                node.behind = 0
            if self.dice.random() < 0.05:
                node.holds = True
            elif node.holds and self.dice.random() < 0.3:
                node.release()
        if number % 10 == 3:
            self.w.queue_price("WETH", CRASH["WETH"])
        if number % 10 == 8:
            self.w.queue_price("WETH", WELL["WETH"])
        if number % 10 == 9:
            self.newcomer()
        self.w.anvil.mine()
        for _ in range(2):
            self.round()

    def newcomer(self) -> None:
        """An account that the next crash makes liquidatable. Its transactions need blocks of their own."""
        self.w.anvil.mine()
        self.accounts += 1
        self.w.send(*ether_for_dollars(self.w.market, account(100 + self.accounts), 10, 19_000))

    def round(self) -> None:
        """As the daemon's job: what goes wrong is written down, and the next round begins anew."""
        try:
            self.daemon._decide("local")
            self.rounds["done"] += 1
        except (KeeperError, SQLAlchemyError) as error:
            self.rounds[type(error).__name__] += 1

    def calm(self) -> None:
        for node in self.nodes:
            node.choose = lambda _: None
            node.behind = 0
            node.release()


def test_a_storm_of_faults(fresh: Fresh, tmp_path: Path) -> None:
    print(f"seed {SEED}, {BLOCKS} blocks")
    anvil, market = fresh
    dice = random.Random(SEED)
    with faulty(anvil.url) as one, faulty(anvil.url) as two:
        more = "[execution]\nreplace_blocks = 2\ncancel_blocks = 8\n"
        more += protect(OWNER, 'steps = [{ action = "supply", asset = "WETH" }]')
        w = world(anvil, market, tmp_path, more, rpc=f'{one.url}", "{two.url}')
        w.send(*ether_for_dollars(market, OWNER, 10, 18_000))
        fund(w, USDC=10**13, WETH=10**24)
        assert w.actor.sender is not None
        daemon = Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)
        storm = Storm(w, daemon, [one, two], dice)
        storm.newcomer()
        storm.round()
        for node in storm.nodes:
            node.choose = random_faults(dice, 0.08)
            node.most_logs, node.most_batch = 3, 5
        for number in range(BLOCKS):
            storm.block(number)
        storm.calm()
        w.queue_price("WETH", CRASH["WETH"])
        for _ in range(30):
            anvil.mine()
            storm.round()
        met = one.met + two.met
    print(dict(met), dict(storm.rounds))
    caught_up(w)
    nothing_lost(w, storm.accounts)
    nothing_twice(w)
    assert len(set(FAULTS) & set(met)) >= 4
    assert not w.alerts("foreign_nonce")


def caught_up(w: World) -> None:
    with w.store.session() as session:
        row = session.get_one(ChainStatus, "local")
    assert row.acted_block == w.anvil.block_number()


def nothing_lost(w: World, accounts: int) -> None:
    for number in range(1, accounts + 1):
        assert w.health(account(100 + number)) >= WAD
    assert w.health(OWNER) >= 105 * WAD // 100
    assert not [i for i in w.intents() if i.state in ("planned", "rehearsed")]
    assert {t.state for t in w.transactions()} <= {"final", "dropped"}
    assert w.allowance("USDC") == 0 and w.allowance("WETH") == 0


def nothing_twice(w: World) -> None:
    done = liquidations(w.anvil, w.market)
    settled = Counter(i.account for i in w.intents() if (i.kind, i.state) == ("liquidate", "settled"))
    assert done == settled
    query = {"address": w.market.pool, "topics": [_SUPPLY], "fromBlock": "0x0", "toBlock": "latest"}
    supplied = [
        as_dict(log)
        for log in as_list(w.anvil.rpc.call("eth_getLogs", query))  # type: ignore[arg-type]
        if w.payer[2:].lower() in str(as_dict(log)["data"])
    ]
    topped = [i for i in w.intents() if (i.kind, i.state) == ("top_up", "settled")]
    assert len(supplied) == len(topped)
    nonces = [t.nonce for t in w.transactions() if t.state == "final"]
    assert len(nonces) == len(set(nonces))


def test_a_node_of_another_chain_is_refused_at_failover() -> None:
    with Anvil(AnvilOptions()) as right, Anvil(AnvilOptions(chain_id=1)) as wrong, faulty(right.url) as node:
        pool = NodePool("x", Chain(chain_id=31337, rpc=[node.url, wrong.url]))
        assert pool.call("eth_chainId") == hex(31337)
        node.choose = lambda _: "500"
        # The right one may come back: the wrong one is never used, and that is no reason to end.
        with pytest.raises(NodeError, match="serves chain 1, but chain_id says 31337"):
            pool.call("eth_blockNumber")
        node.choose = lambda _: None
        assert pool.call("eth_chainId") == hex(31337) and len(pool.nodes) == 2
