"""A first discovery over a long history: seen at a terminal, parallel within limits, resumed after a kill."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keeper.book.book import REMEMBERED_BLOCKS
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import send_batch
from keeper.store.accounts import load
from keeper.store.database import open_store
from tests.conftest import LocalMarket
from tests.support.program import start_keeper
from tests.support.rpc_proxy import Request, RpcProxy, longest_range, proxy_to
from tests.support.terminal import at_terminal

pytestmark = pytest.mark.integration

BLOCKS = 1_500
RANGE = 20
WORKERS = 3


@dataclass
class Slow:
    """A node that takes its time over logs of ranges; `most` were under way at once."""

    seconds: float
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self, request: Request) -> None:
        if _is_range(request):
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            time.sleep(self.seconds)

    def ends(self, request: Request, result: Any) -> Any:
        if _is_range(request):
            with self._lock:
                self._now -= 1
        return result


def _is_range(request: Request) -> bool:
    return request["method"] == "eth_getLogs" and "fromBlock" in request["params"][0]


@pytest.fixture
def long(aave_v36: LocalMarket) -> LocalMarket:
    """Accounts at both ends of a history of thousands of blocks."""
    market, weth = aave_v36.market, aave_v36.market.reserves["WETH"]
    for number, blocks in ((1, BLOCKS), (2, 10)):
        send_batch(aave_v36.rpc, act.mint_and_supply(market, weth, _account(number), 10**18), market.errors)
        aave_v36.anvil.mine(blocks)
    return aave_v36


def _account(number: int) -> str:
    return f"0x{0xD15C << 144 | number:040x}"


def _config(folder: Path, proxy: RpcProxy, market: LocalMarket) -> Path:
    path = folder / "keeper.toml"
    path.write_text(
        f'[chains.local]\nchain_id = 31337\nrpc = ["{proxy.url}"]\nlog_range = {RANGE}\n'
        f"parallel_requests = {WORKERS}\nblock_time = 12\n"
        f'[store]\nurl = "sqlite:///{folder}/keeper.db"\n'
        f'[markets.m]\nprotocol = "aave-v3"\nchain = "local"\naddress = "{market.market.pool}"\n'
    )
    path.chmod(0o600)
    return path


def _until(found: Callable[[], object], seconds: float = 60.0, every: float = 0.02) -> None:
    limit = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(every)


def test_a_scan_at_a_terminal_shows_how_far_it_is_and_how_long_it_will_take(
    long: LocalMarket, tmp_path: Path
) -> None:
    slow = Slow(0.1)
    with proxy_to(long.anvil.url) as proxy:
        proxy.rules.append(longest_range(RANGE, "block range too large"))
        proxy.changes.append(slow.begins)
        proxy.answers.append(slow.ends)
        code, screen = at_terminal(tmp_path, ["scan", "--config", str(_config(tmp_path, proxy, long))], {})
    assert code == 0, screen
    shown = [(int(at), int(of)) for at, of in re.findall(r"block (\d+) of (\d+)", screen)]
    assert len({at for at, _ in shown}) > 5, screen
    assert shown == sorted(shown)
    assert all(of >= BLOCKS for _, of in shown)
    left = [int(minutes) * 60 + int(seconds) for minutes, seconds in re.findall(r"0:(\d\d):(\d\d)", screen)]
    assert left and max(left) < 60
    # As many at once as the configuration grants, and none that the node refuses.
    assert 2 <= slow.most <= WORKERS
    assert not proxy.refused
    # Both ends of the history are in the table: two accounts.
    assert "2 accounts" in screen


def test_a_keeper_killed_in_its_first_discovery_goes_on_where_it_was(
    long: LocalMarket, tmp_path: Path
) -> None:
    slow = Slow(0.05)
    with proxy_to(long.anvil.url) as proxy:
        config = _config(tmp_path, proxy, long)
        proxy.changes.append(slow.begins)
        proxy.answers.append(slow.ends)
        first = start_keeper("run", "--config", str(config), log=tmp_path / "log")
        _until(lambda: any(last > 2 * BLOCKS // 3 for _, last in proxy.log_ranges()))
        first.kill()
        first.wait()
        kept = _kept(tmp_path)
        assert kept is not None and not kept.block_hash
        assert kept.block > BLOCKS // 3
        proxy.forget()
        second = start_keeper("run", "--config", str(config), log=tmp_path / "log")
        _until(lambda: (found := _kept(tmp_path)) is not None and found.block_hash, every=0.5)
        second.terminate()
        second.wait()
        begun = min(first for first, _ in proxy.log_ranges())
        # As far back as a reorg may have reached meanwhile, and no farther.
        assert begun == kept.block + 1 - REMEMBERED_BLOCKS
        whole = _kept(tmp_path)
        assert whole is not None
        assert {_account(1), _account(2)} <= whole.records.keys()
        assert all(whole.records[_account(number)] for number in (1, 2))


def _kept(folder: Path) -> Any:
    """What the store knows of the market."""
    store = open_store(f"sqlite:///{folder}/keeper.db")
    try:
        return load(store, "m")
    finally:
        store.close()
