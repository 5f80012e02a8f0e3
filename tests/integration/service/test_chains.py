"""Several chains in one daemon: one dies, the others do not notice; heads may come by websocket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v302 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.protocols.registry import load
from keeper.service.daemon import Daemon
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.watching import ChainStatus, Checkpoint
from tests.conftest import GENESIS

pytestmark = pytest.mark.integration

Site = tuple[Anvil, AaveDeployment]


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    with (
        Anvil(AnvilOptions(timestamp=GENESIS)) as one,
        Anvil(AnvilOptions(timestamp=GENESIS, chain_id=1337)) as two,
    ):
        yield (one, deploy(one.rpc, *demo_market())), (two, deploy(two.rpc, *demo_market()))


def _config(folder: Path, sites: tuple[Site, ...], more: str = "") -> Path:
    path = folder / "keeper.toml"
    text = f'[store]\nurl = "sqlite:///{folder}/keeper.db"\n[service]\nalerts_file = "{folder}/alerts"\n'
    for number, (anvil, market) in enumerate(sites):
        text += (
            f'[chains.c{number}]\nchain_id = {anvil.options.chain_id}\nrpc = ["{anvil.url}"]\n'
            f"block_time = 12\npoll = 0.05\ntimeout = 2\n{more}"
            f'[markets.m{number}]\nprotocol = "aave-v3"\nchain = "c{number}"\naddress = "{market.pool}"\n'
        )
    path.write_text(text)
    return path


@contextmanager
def _running(config: Path) -> Iterator[tuple[Daemon, Store]]:
    settings = load(config)
    store = open_store(settings.store.url)
    daemon = Daemon(settings, store, None, None)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon, store
    finally:
        daemon.stop()
        thread.join(30)
        store.close()
    assert not thread.is_alive()


def _until(found: Callable[[], object], seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


def _block(store: Store, chain: str) -> int:
    with store.session() as session:
        row = session.get(ChainStatus, chain)
        return row.block if row is not None else -1


def _reached(store: Store, chain: str, block: int) -> bool:
    return _block(store, chain) >= block


def test_one_chain_dies_and_the_other_does_not_notice(sites: tuple[Site, Site], tmp_path: Path) -> None:
    (one, _), (two, _) = sites
    with _running(_config(tmp_path, sites)) as (_, store):
        for name, anvil in (("c0", one), ("c1", two)):
            number = anvil.mine()
            _until(partial(_reached, store, name, number))
        two.stop()

        def told() -> bool:
            with store.session() as session:
                row = session.get(ChainStatus, "c1")
                return row is not None and not row.reachable

        _until(told)
        for _ in range(5):
            number = one.mine()
            started = time.monotonic()
            _until(partial(_reached, store, "c0", number))
            assert time.monotonic() - started < 5
        with store.session() as session:
            kinds = {(alert.kind, alert.market) for alert in session.exec(select(Alert))}
        assert all("c0" not in market and "m0" not in market for _, market in kinds)


def test_heads_come_by_websocket_and_the_book_is_written_down_at_the_end(
    sites: tuple[Site, Site], tmp_path: Path
) -> None:
    """Polling is once an hour here: whatever is noticed sooner was told."""
    (one, deployed), _ = sites
    ws = f'head_ws = ["ws{one.url.removeprefix("http")}"]\n'
    config = _config(tmp_path, ((one, deployed),), ws)
    config.write_text(config.read_text().replace("poll = 0.05", "poll = 3600"))
    with _running(config) as (daemon, store):
        _until(lambda: daemon.chains["c0"].deciding.head is not None)
        subscription = daemon.chains["c0"].deciding.heads.subscription
        assert subscription is not None
        _until(lambda: one.mine() and subscription.newest is not None)
        for _ in range(3):
            number = one.mine()
            _until(partial(_reached, store, "c0", number))
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        checkpoint = session.get(Checkpoint, "m0")
        assert checkpoint is not None and checkpoint.block == number
    store.close()
