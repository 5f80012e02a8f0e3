"""The store unreachable by the clock on the wall, in the middle of sending, under the whole daemon: nothing
twice, nothing lost, somebody is told while it lasts, and everything is carried on afterwards."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from keeper.service import store_watch
from keeper.service.daemon import Daemon
from tests.conftest import _started
from tests.integration.execution.conftest import CRASH, OTHER, Fresh, Ready
from tests.support.faulty_node import FaultyNode, faulty
from tests.support.inbox import Inbox
from tests.support.liquidations import liquidations
from tests.support.waiting import wait_for
from tests.support.world import World

pytestmark = pytest.mark.integration

WAD = 10**18
SOAK = os.environ.get("KEEPER_SOAK") == "1"
SECONDS, PATIENCE = (60.0, 10.0) if SOAK else (4.0, 1.0)


def lived_through(w: World, node: FaultyNode, inbox: Inbox, begin: Any, end: Any) -> None:
    """The daemon in a crash; the store is gone from the first transaction on, for so many seconds."""
    assert w.actor.sender is not None
    w.actor.release()
    daemon = Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)
    begun = threading.Event()

    def at_sending(request: dict[str, Any]) -> None:
        if request["method"] == "eth_sendRawTransaction" and not begun.is_set():
            begin()
            begun.set()

    node.choose = at_sending
    running = threading.Thread(target=daemon.run)
    running.start()
    try:
        wait_for(lambda: daemon.chains["local"].deciding.blocks_seen > 0)
        w.queue_price("WETH", CRASH["WETH"])
        w.anvil.mine()
        wait_for(begun.is_set)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            # Blocks come meanwhile, one a second.
            w.anvil.mine()
            begun.wait()
            threading.Event().wait(min(1.0, max(until - time.monotonic(), 0.0)))
        told = [each["title"] for each in inbox.messages]
        assert any("store cannot be reached" in each for each in told), "told while it lasted"
        end()
        wait_for(lambda: done(w), each=w.anvil.mine)
        wait_for(lambda: any("answers again" in each["title"] for each in inbox.messages))
    finally:
        daemon.stop()
        running.join()
    assert liquidations(w.anvil, w.market)[OTHER] == [i.state for i in w.intents()].count("settled") >= 1
    assert not {"planned", "rehearsed", "failed"} & {i.state for i in w.intents()}
    nonces = [t.nonce for t in w.transactions() if t.state == "final"]
    assert len(nonces) == len(set(nonces))


def done(w: World) -> bool:
    states = {t.state for t in w.transactions()}
    return w.health(OTHER) >= WAD and bool(states) and states <= {"final", "dropped"}


def channel(inbox: Inbox) -> str:
    return f'[[alerts]]\nurl = "{inbox.url}"\n'


def test_locked_by_another_process(
    fresh: Fresh, ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_watch.StoreWatch.__init__, "__defaults__", (PATIENCE,))
    with faulty(fresh[0].url) as node, Inbox() as inbox:
        w = ready(channel(inbox), rpc=node.url)
        other = sqlite3.connect(tmp_path / "keeper.db", isolation_level=None, check_same_thread=False)
        lived_through(
            w,
            node,
            inbox,
            lambda: other.execute("BEGIN IMMEDIATE"),
            lambda: other.execute("ROLLBACK"),
        )
        other.close()


def test_a_server_that_is_gone(
    fresh: Fresh, ready: Ready, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_watch.StoreWatch.__init__, "__defaults__", (PATIENCE,))
    server = _started(tmp_path_factory)
    try:
        with faulty(fresh[0].url) as node, Inbox() as inbox:
            w = ready(channel(inbox), rpc=node.url, store=server.get_uri())
            lived_through(w, node, inbox, server.stop, server.start)
            w.store.close()
    finally:
        server.cleanup()
