"""New blocks: by subscription without a request, by polling without haste, and never from a silent node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from keeper.chain import blocks
from keeper.chain.heads import Heads
from keeper.chain.node import NodeError, RpcError
from keeper.chain.node_choice import LEFT_FOR_BLOCKS
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.errors import ConfigError
from keeper.localchain.anvil import Anvil
from tests.support.rpc_proxy import Request, RpcProxy, proxy_to

pytestmark = pytest.mark.integration

BLOCK_SECONDS = 0.4


def _chain(*urls: str, **more: Any) -> Chain:
    return Chain.model_validate({"chain_id": 31337, "rpc": list(urls), **more})


@contextmanager
def _two(anvil: Anvil) -> Iterator[tuple[RpcProxy, RpcProxy, NodePool]]:
    with proxy_to(anvil.url) as first, proxy_to(anvil.url) as second:
        yield first, second, NodePool("local", _chain(first.url, second.url))


def _until(found: Callable[[], object], seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.01)


def _passed(moment: float) -> bool:
    return time.monotonic() > moment


def test_a_subscription_gives_every_newest_head_without_a_request(anvil: Anvil) -> None:
    chain = _chain(anvil.url, head_ws=["ws" + anvil.url.removeprefix("http")])
    pool, told = NodePool("local", chain), threading.Event()
    heads = Heads(pool, chain, told.set)
    heads.start()
    try:
        # The connection takes a moment; until then heads are polled for.
        _until(lambda: anvil.mine() and told.wait(0.2))
        before = pool.requests
        for _ in range(3):
            told.clear()
            number = anvil.mine()
            assert told.wait(5)
            head = heads.newest(12.0)
            assert head is not None and head.number == number
            heads.done(head)
            assert heads.newest(12.0) is None
        assert pool.requests == before
        assert head is not None and head.bloom is not None
        assert head == blocks.by_number(pool, number)
    finally:
        heads.stop()


def test_polling_takes_over_when_the_subscription_is_silent(anvil: Anvil) -> None:
    """A websocket that never says anything costs no block."""
    chain = _chain(anvil.url, head_ws=["ws://127.0.0.1:9"])
    pool = NodePool("local", chain)
    heads = Heads(pool, chain, lambda: None)
    heads.start()
    try:
        number = anvil.mine()
        head = heads.newest(BLOCK_SECONDS)
        assert head is not None and head.number == number
    finally:
        heads.stop()


@pytest.mark.parametrize("poll", ["0.05", "0.9", "5"])
@pytest.mark.parametrize("paced", [True, False])
def test_a_silent_node_is_left_within_two_block_times(anvil: Anvil, paced: bool, poll: str) -> None:
    """Counted from its last block, however seldom it is polled; that it was silent is said."""
    block_seconds = 1.0
    with _two(anvil) as (first, second, pool), capture_logs() as said:
        heads = Heads(pool, _chain(first.url, second.url, poll=Decimal(poll)))
        heads.paced = paced
        head = heads.newest(block_seconds)
        last_block_at = time.monotonic()
        assert head is not None
        heads.done(head)
        frozen = anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        first.answers.append(lambda r, x: frozen if r["method"] == "eth_getBlockByNumber" else x)
        number = anvil.mine(2)
        found: list[blocks.Head] = []

        def look() -> bool:
            newest = heads.newest(block_seconds)
            if newest is not None:
                found.append(newest)
            return bool(found)

        _until(look)
        assert time.monotonic() - last_block_at < 2 * block_seconds
        assert found[0].number == number
        assert pool.current is pool.nodes[1]
    assert "silent node" in [each["event"] for each in said]


def test_a_subscription_that_falls_silent_is_polled_beside_within_two_block_times(anvil: Anvil) -> None:
    chain = _chain(anvil.url, head_ws=["ws" + anvil.url.removeprefix("http")])
    pool, told = NodePool("local", chain), threading.Event()
    heads = Heads(pool, chain, told.set)
    heads.start()
    try:
        _until(lambda: anvil.mine() and told.wait(0.2))
        head = heads.newest(1.0)
        assert head is not None
        heads.done(head)
        assert heads.subscription is not None
        last_block_at = time.monotonic()
        # The connection stays open, and nothing comes through it any more.
        heads.subscription.on_told = lambda _: None
        heads.subscription.heard_at = last_block_at
        stale = heads.subscription.newest
        number = anvil.mine()
        heads.subscription.newest, heads.subscription.heard_at = stale, last_block_at
        found: list[blocks.Head] = []

        def look() -> bool:
            found.extend(filter(None, [heads.newest(1.0)]))
            return bool(found)

        _until(look)
        assert found[0].number == number
        assert time.monotonic() - last_block_at < 2.0
    finally:
        heads.stop()


@pytest.mark.parametrize("begins_well", [True, False])
@pytest.mark.parametrize("paced", [True, False])
def test_a_node_that_makes_up_heads_is_left_for_one_that_does_not(
    anvil: Anvil, paced: bool, begins_well: bool
) -> None:
    """Its newest block is one whose state nobody has. No tick ends there; but another node has a true one."""

    def lie(request: Request, result: Any) -> Any:
        if request["method"] != "eth_getBlockByNumber":
            return result
        return {**result, "number": hex(int(result["number"], 16) + 50), "hash": "0x" + "ab" * 32}

    block_seconds = 0.5
    with _two(anvil) as (first, _, pool), capture_logs() as said:
        heads = Heads(pool, _chain(first.url, poll=Decimal("0.05")))
        heads.paced = paced
        if begins_well:
            head = heads.newest(block_seconds)
            assert head is not None
            heads.done(head)
        first.answers.append(lie)
        number, started, done = anvil.mine(), time.monotonic(), []

        def tick() -> bool:
            newest = heads.newest(block_seconds)
            if newest is None:
                return False
            try:
                pool.call("eth_getBalance", "0x" + "00" * 20, {"blockHash": newest.hash})
            except (NodeError, RpcError):
                return False
            heads.done(newest)
            done.append(newest)
            return True

        _until(tick)
        assert [each.number for each in done] == [number]
        assert pool.current is pool.nodes[1]
        assert time.monotonic() - started < 6 * block_seconds
    assert {"unreadable head", "silent node"} <= {each["event"] for each in said}


def test_a_head_whose_ticks_fail_is_answered_again_where_no_node_has_a_better(anvil: Anvil) -> None:
    """What fails may be our own: the newest block is never given up for good."""
    with _two(anvil) as (_, _, pool):
        heads = Heads(pool, _chain(pool.nodes[0]._url))
        first = heads.newest(0.3)
        assert first is not None
        heads.done(first)
        number, limit, answered = anvil.mine(), time.monotonic() + 2.5, []
        while time.monotonic() < limit:
            head = heads.newest(0.3)
            answered += [(time.monotonic(), head.number)] if head is not None else []
            time.sleep(0.01)
        assert {each for _, each in answered} == {number}
        assert max(at for at, _ in answered) > limit - 1.0


def test_a_node_that_is_behind_starts_no_reorg(anvil: Anvil) -> None:
    """Its newest block is one that was worked through before: there is nothing new."""
    with proxy_to(anvil.url) as proxy:
        chain = _chain(proxy.url)
        heads = Heads(NodePool("local", chain), chain)
        old = heads.newest(1.0)
        assert old is not None
        heads.done(old)
        behind = anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        anvil.mine()
        newer = heads.newest(1.0)
        assert newer is not None
        heads.done(newer)
        proxy.answers.append(lambda *_: behind)
        assert heads.newest(1.0) is None


def test_no_poll_is_wasted_while_no_block_is_due(anvil: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a chain with a block time a block costs two polls at most."""
    chain = _chain(anvil.url, poll=Decimal("0.05"))
    pool = NodePool("local", chain)
    heads = Heads(pool, chain)
    heads.paced = True
    for _ in range(3):
        anvil.mine()
        head = heads.newest(1.0)
        assert head is not None
        heads.done(head)
        before, quiet = pool.requests, time.monotonic() + 0.8
        while time.monotonic() < quiet:
            assert heads.newest(1.0) is None
        assert pool.requests - before <= 1
        assert head is not None
        due = quiet + 0.2
        _until(partial(_passed, due))


def test_a_node_of_another_chain_is_left_out_and_said(anvil: Anvil) -> None:
    def other(request: Request, result: Any) -> Any:
        return "0x1" if request["method"] == "eth_chainId" else result

    with _two(anvil) as (first, _, pool):
        first.answers.append(other)
        assert blocks.latest(pool).number == anvil.block_number()
        assert pool.current is pool.nodes[1]
        assert "serves chain 1" in pool.standings[0].excluded
        first.forget()
        blocks.latest(pool)
        assert not first.seen
        alone = NodePool("local", _chain(first.url))
        with pytest.raises(ConfigError, match="serves chain 1"):
            blocks.latest(alone)


def test_a_better_node_is_gone_to(anvil: Anvil) -> None:
    with _two(anvil) as (first, _, pool):
        blocks.latest(pool)
        pool.reconsider()
        assert pool.current is pool.nodes[0]
        pool.saw_head(0, 100)
        pool.saw_head(1, 100 + LEFT_FOR_BLOCKS)
        pool.reconsider()
        assert pool.current is pool.nodes[1]
        # Faults weigh too: each failover remembers them.
        pool.saw_head(0, 100 + LEFT_FOR_BLOCKS)
        pool.standings[1].failed(3)
        pool.reconsider()
        assert pool.current is pool.nodes[0]
        first.rules.append(lambda _: 503)
        blocks.latest(pool)
        assert pool.current is pool.nodes[0], "the other had more faults"
        for _ in range(4):
            blocks.latest(pool)
        assert pool.current is pool.nodes[1]
        assert pool.standings[0].faults > 0.5


def test_requests_keep_to_their_budget(anvil: Anvil) -> None:
    pool = NodePool("local", _chain(anvil.url, requests_per_second=Decimal(20)))
    started = time.monotonic()
    for _ in range(40):
        blocks.latest(pool)
    # Twenty may go at once after a quiet second; the other twenty and the chain id take another.
    assert time.monotonic() - started > 0.9


def test_what_is_no_block_is_no_answer(anvil: Anvil) -> None:
    def none(request: Request, result: Any) -> Any:
        return {"number": None} if request["method"] == "eth_getBlockByNumber" else result

    with _two(anvil) as (first, second, pool):
        first.answers.append(none)
        assert blocks.latest(pool).number == anvil.block_number()
        second.answers.append(none)
        with pytest.raises(NodeError, match="no block"):
            blocks.latest(pool)
