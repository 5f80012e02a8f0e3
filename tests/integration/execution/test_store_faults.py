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


def through(w: World, node: FaultyNode, outage: Outage) -> Counter[str]:
    """A crash, the outage in the middle of sending, four blocks of it, and what follows."""
    assert w.actor.lane is not None
    w.actor.release()
    daemon = Daemon(w.settings, w.store, w.payer, w.actor.lane.signer)
    met: Counter[str] = Counter()

    def round_() -> None:
        try:
            daemon._decide("local")
        except (SQLAlchemyError, KeeperError) as error:
            met[str(getattr(error, "orig", error)).lower()] += 1

    def chosen(request: dict[str, Any]) -> None:
        outage.at_sending(request)

    node.choose = chosen
    w.queue_price("WETH", CRASH["WETH"])
    for _ in range(4):
        w.anvil.mine()
        round_()
    assert outage.begun and met, "the outage was felt"
    outage.end()
    for _ in range(20):
        w.anvil.mine()
        round_()
        if w.health(OTHER) >= WAD and {t.state for t in w.transactions()} <= {"final", "dropped"}:
            break
    return met


def done_once(w: World, fresh: Fresh) -> None:
    states = [i.state for i in w.intents()]
    assert w.health(OTHER) >= WAD
    assert liquidations(*fresh)[OTHER] == states.count("settled") >= 1
    assert not {"planned", "rehearsed", "failed"} & set(states)
    nonces = [t.nonce for t in w.transactions() if t.state == "final"]
    assert len(nonces) == len(set(nonces))


def test_locked(fresh: Fresh, ready: Ready, tmp_path: Path) -> None:
    with faulty(fresh[0].url) as node:
        w = ready(rpc=node.url, store=QUICK)
        other = sqlite3.connect(tmp_path / "keeper.db", isolation_level=None, check_same_thread=False)
        outage = Outage(
            lambda: (other.execute("BEGIN IMMEDIATE"), None)[1], lambda: (other.execute("ROLLBACK"), None)[1]
        )
        met = through(w, node, outage)
        other.close()
    assert any("locked" in each for each in met)
    done_once(w, fresh)


def test_full(fresh: Fresh, ready: Ready, tmp_path: Path) -> None:
    """No file of this process may grow beyond what the database's log has reached."""
    free = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full() -> None:
        size = (tmp_path / "keeper.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, free[1]))

    try:
        with faulty(fresh[0].url) as node:
            w = ready(rpc=node.url, store=QUICK)
            met = through(w, node, Outage(full, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, free)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, free)
    assert any("full" in each or "i/o" in each for each in met)
    done_once(w, fresh)


def test_gone(fresh: Fresh, ready: Ready, tmp_path_factory: pytest.TempPathFactory) -> None:
    server = _started(tmp_path_factory)
    try:
        with faulty(fresh[0].url) as node:
            w = ready(rpc=node.url, store=server.get_uri())
            met = through(w, node, Outage(server.stop, server.start))
            done_once(w, fresh)
            w.store.close()
        assert met
    finally:
        server.cleanup()
