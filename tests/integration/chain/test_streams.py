"""A stream survives whatever comes over it (other shapes, batches, nonsense) and tells of the rest."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from keeper.chain.backrun import PendingUpdate
from keeper.chain.heads import Subscription
from keeper.chain.pending import pending
from keeper.chain.stream import Stream
from tests.unit.chain.test_block_time import block, head

pytestmark = pytest.mark.integration


def _subscribed(result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": result}}


ODD: list[Any] = [
    {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x1"}},
    {"jsonrpc": "2.0", "method": "eth_subscription", "params": None},
    {"jsonrpc": "2.0", "method": "eth_subscription"},
    _subscribed(None),
    _subscribed(5),
    {
        "jsonrpc": "2.0",
        "method": "eth_subscription",
        "params": {"result": {"input": None, "to": "0x" + "1" * 40}},
    },
    _subscribed({"number": "x", "hash": 5}),
    {
        "jsonrpc": "2.0",
        "method": "eth_subscription",
        "params": {"result": {"to": 5, "input": ["a"], "from": {}}},
    },
    {"id": 77, "result": {"status": "ok"}},
    {"type": "heartbeat"},
    5,
    None,
    [],
    [5, None, "x"],
    "text",
]
RAW = ["", "{", "[" * 50_000, "\x00", "NaN"]


@contextmanager
def _told(messages: list[str]) -> Iterator[str]:
    """A node that takes any subscription and then sends these."""

    def handle(socket: ServerConnection) -> None:
        for message in socket:
            asked = json.loads(message)
            answer = "0x7" if asked["method"] == "eth_chainId" else "0x5ub"
            socket.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}))
            if asked["method"] == "eth_subscribe":
                for each in messages:
                    socket.send(each)

    with serve(handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


def _event(result: Any) -> str:
    return json.dumps(_subscribed(result))


def _wait(event: threading.Event) -> None:
    assert event.wait(10), "what was told among odd things was not heard"


def test_heads_are_heard_among_anything() -> None:
    heard = threading.Event()
    odd = [*map(json.dumps, ODD), *RAW]
    batch = json.dumps([json.loads(_event(block(9, 9))), {"x": 1}])
    with _told([*odd, _event(block(8, 8)), *odd, batch]) as url:
        found = Subscription("x", 7, [url], lambda: heard.set() if found.newest == head(9, 9) else None)
        found.start()
        _wait(heard)
        assert found._thread.is_alive()
        found.stop()


def test_pending_transactions_are_heard_among_anything() -> None:
    heard = threading.Event()
    seen: list[PendingUpdate] = []

    def told(update: PendingUpdate) -> None:
        seen.append(update)
        heard.set()

    good = {"from": "0x" + "2" * 40, "to": "0x" + "1" * 40, "input": "0x12345678", "hash": "0x" + "3" * 64}
    with _told([*map(json.dumps, ODD), *RAW, _event(good)]) as url:
        stream = pending("x", 7, url, lambda _: True, told)
        stream.start()
        _wait(heard)
        assert seen[-1].hash == good["hash"] and stream._thread.is_alive()
        stream.stop()


def test_whoever_hears_may_fail_and_the_stream_goes_on() -> None:
    heard, fails = threading.Event(), iter([RuntimeError("no"), KeyError("no"), ZeroDivisionError()])

    def told(_: Any) -> None:
        for error in fails:
            raise error
        heard.set()

    with _told([_event(n) for n in range(6)]) as url:
        stream = Stream("x", 7, [url], json.dumps({"id": 1, "method": "eth_subscribe"}), "things", told)
        stream.start()
        _wait(heard)
        assert stream.passed_over == 3
        stream.stop()
