"""The database locked, full, or gone, in the worst moment too (signed, and not yet known to be sent): what is
under way carries on when it is back, and everything was done once."""

from __future__ import annotations

import resource
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from keeper.errors import KeeperError
from keeper.service.daemon import Daemon
from tests.conftest import _started
from tests.integration.execution.conftest import CRASH, OTHER, Fresh, Ready
from tests.support.faulty_node import FaultyNode, faulty
from tests.support.liquidations import liquidations
from tests.support.world import World

pytestmark = pytest.mark.integration

WAD = 10**18
QUICK = "sqlite:///keeper.db?timeout=0.2"


class Outage:
    """Begins when the node is asked to send, ends when told."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self.begin, self.end, self.begun = begin, end, False

    def at_sending(self, request: dict[str, Any]) -> None:
        if request["method"] == "eth_sendRawTransaction" and not self.begun:
            self.begun = True
            self.begin()


Befalls = Callable[[World, FaultyNode, Outage], Counter[str]]


def through(w: World, node: FaultyNode, outage: Outage) -> Counter[str]:
    """A crash, the outage in the middle of sending, four blocks of it, and what follows."""
    rounds = Rounds(w)

    def chosen(request: dict[str, Any]) -> None:
        outage.at_sending(request)

    node.choose = chosen
    w.queue_price("WETH", CRASH["WETH"])
    rounds.run(4)
    assert outage.begun and rounds.met, "the outage was felt"
    outage.end()
    rounds.until_done()
    return rounds.met


def while_waiting(w: World, node: FaultyNode, outage: Outage) -> Counter[str]:
    """A crash, the transactions sent and kept back by the node; they are included while the store is out."""
    rounds = Rounds(w)
    node.holds = True
    w.queue_price("WETH", CRASH["WETH"])
    rounds.run(1)
    assert {t.state for t in w.transactions()} == {"sent"} and not rounds.met
    outage.begin()
    rounds.run(1)
    node.release()
    rounds.run(3)
    assert w.health(OTHER) >= WAD and rounds.met, "done while nothing could be written"
    outage.end()
    rounds.until_done()
    return rounds.met


class Rounds:
    """A keeper's rounds, one a block; what goes wrong in them is written down."""

    def __init__(self, w: World) -> None:
        assert w.actor.sender is not None
        w.actor.release()
        self.w = w
        self.daemon = Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)
        self.met: Counter[str] = Counter()

    def run(self, blocks: int) -> None:
        for _ in range(blocks):
            self.w.anvil.mine()
            try:
                self.daemon._decide("local")
            except (SQLAlchemyError, KeeperError) as error:
                self.met[str(getattr(error, "orig", error)).lower()] += 1

    def until_done(self) -> None:
        for _ in range(20):
            self.run(1)
            decided = {t.state for t in self.w.transactions()} <= {"final", "dropped"}
            if self.w.health(OTHER) >= WAD and decided:
                break


def done_once(w: World, fresh: Fresh) -> None:
    states = [i.state for i in w.intents()]
    assert w.health(OTHER) >= WAD
    assert liquidations(*fresh)[OTHER] == states.count("settled") >= 1
    assert not {"planned", "rehearsed", "failed"} & set(states)
    nonces = [t.nonce for t in w.transactions() if t.state == "final"]
    assert len(nonces) == len(set(nonces))


MOMENTS = pytest.mark.parametrize("befalls", [through, while_waiting])


@MOMENTS
def test_locked(fresh: Fresh, ready: Ready, tmp_path: Path, befalls: Befalls) -> None:
    with faulty(fresh[0].url) as node:
        w = ready(rpc=node.url, store=QUICK)
        other = sqlite3.connect(tmp_path / "keeper.db", isolation_level=None, check_same_thread=False)
        outage = Outage(
            lambda: (other.execute("BEGIN IMMEDIATE"), None)[1], lambda: (other.execute("ROLLBACK"), None)[1]
        )
        met = befalls(w, node, outage)
        other.close()
    assert any("locked" in each for each in met)
    done_once(w, fresh)


@MOMENTS
def test_full(fresh: Fresh, ready: Ready, tmp_path: Path, befalls: Befalls) -> None:
    """No file of this process may grow beyond what the database's log has reached."""
    free = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full() -> None:
        size = (tmp_path / "keeper.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, free[1]))

    try:
        with faulty(fresh[0].url) as node:
            w = ready(rpc=node.url, store=QUICK)
            outage = Outage(full, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, free))
            met = befalls(w, node, outage)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, free)
    assert any("full" in each or "i/o" in each for each in met)
    done_once(w, fresh)


@MOMENTS
def test_gone(fresh: Fresh, ready: Ready, tmp_path_factory: pytest.TempPathFactory, befalls: Befalls) -> None:
    server = _started(tmp_path_factory)
    try:
        with faulty(fresh[0].url) as node:
            w = ready(rpc=node.url, store=server.get_uri())
            met = befalls(w, node, Outage(server.stop, server.start))
            done_once(w, fresh)
            w.store.close()
        assert met
    finally:
        server.cleanup()
