"""A websocket subscription that keeps itself alive: one address at a time, the next when it fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from keeper.chain.answers import NodeError

log = structlog.get_logger()

SECONDS = 3.0
LONGEST_WAIT = 30.0
# Bytes of a message, decompressed: a whole pending transaction is at most 128 KiB, as hex.
MOST_MESSAGE = 2**20
ASK_HEADS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})
_ASK_CHAIN = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []})


class RefusesError(NodeError):
    """What a node announces is of no use, and will not be: another address is tried."""


def _messages(message: str | bytes) -> list[dict[str, Any]]:
    """The JSON objects of a message, one or a batch; none where it is neither."""
    try:
        found = orjson.loads(message)
    except ValueError:
        return []
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _chain_id(message: str | bytes, label: str) -> int:
    for each in _messages(message):
        try:
            return int(each["result"], 16)
        except (KeyError, TypeError, ValueError):
            continue
    raise NodeError("does not say which chain it serves", where=label)


class Stream:
    """A subscription `ask` (JSON) at one of `urls`, each tried in turn when one fails.

    `on_told` is called with each item announced, from the stream's own thread. An item that it cannot parse
    is passed over; RefusesError ends the connection. `what` names the subscription in the log.
    """

    def __init__(
        self,
        chain: str,
        chain_id: int,
        urls: Sequence[str],
        ask: str,
        what: str,
        on_told: Callable[[Any], None],
    ) -> None:
        self.chain = chain
        self.chain_id = chain_id
        self.urls = urls
        self.ask = ask
        self.what = what
        self.on_told = on_told
        self.heard_at = 0.0
        self.listening = False
        """Whether a node has accepted the subscription and has not gone since."""
        self.passed_over = 0
        """Announced items that could not be parsed."""
        self._stopping = threading.Event()
        self._socket: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name=f"{what}:{chain}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the subscription; returns when its thread has ended."""
        self._stopping.set()
        self.leave()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * SECONDS)

    def leave(self) -> None:
        """Close the present connection, so that the next address is tried."""
        socket = self._socket
        if socket is not None:
            with suppress(OSError, WebSocketException):
                socket.close()

    def _run(self) -> None:
        turn, wait = 0, 0.5
        while not self._stopping.is_set():
            url = self.urls[turn % len(self.urls)]
            turn += 1
            label = f"node {urlsplit(url).hostname}:{urlsplit(url).port or ''}"
            before = self.heard_at
            try:
                self._listen(url, label)
            except Exception as error:  # noqa: BLE001  (a stream that ends unseen is worse than any error)
                if self._stopping.is_set():
                    return
                why = error.what if isinstance(error, NodeError) else type(error).__name__
                log.warning(f"{self.what} lost", chain=self.chain, node=label, error=why)
            finally:
                self.listening = False
            # Whoever told of something is tried again soon; the others ever later.
            wait = 0.5 if self.heard_at > before else min(wait * 2, LONGEST_WAIT)
            self._stopping.wait(wait)

    def _listen(self, url: str, label: str) -> None:
        with connect(url, open_timeout=SECONDS, close_timeout=SECONDS, max_size=MOST_MESSAGE) as socket:
            self._socket = socket
            socket.send(_ASK_CHAIN)
            found = _chain_id(socket.recv(timeout=SECONDS), label)
            if found != self.chain_id:
                raise NodeError(f"serves chain {found}", where=label)
            socket.send(self.ask)
            for message in socket:
                for told in _messages(message):
                    self._take(told, label)
                if self._stopping.is_set():
                    return

    def _take(self, told: dict[str, Any], label: str) -> None:
        """Process one message. An item of unknown shape is passed over: a stream that is otherwise well goes
        on. NodeError where the subscription itself is refused."""
        if told.get("method") != "eth_subscription":
            if told.get("error"):
                raise NodeError(f"refuses to tell of {self.what}", where=label)
            self.listening = self.listening or "result" in told
            return
        params = told.get("params")
        if not isinstance(params, dict) or "result" not in params:
            return
        try:
            self.on_told(params["result"])
        except RefusesError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever a node tells of, the thread goes on)
            self.passed_over += 1
            if self.passed_over in (1, 10, 100) or self.passed_over % 1000 == 0:
                what, times = type(error).__name__, self.passed_over
                log.warning(
                    "passed over", chain=self.chain, of=self.what, node=label, error=what, times=times
                )
            return
        self.heard_at = time.monotonic()


def offers_heads(url: str) -> bool:
    """Whether the same address, as ws:// or wss://, accepts a subscription to new heads.

    Many providers serve websocket at another address: False says nothing about those.
    """
    address = "ws" + url.removeprefix("http")
    try:
        with connect(address, open_timeout=SECONDS, close_timeout=SECONDS) as socket:
            socket.send(ASK_HEADS)
            answer = orjson.loads(socket.recv(timeout=SECONDS))
    except (OSError, TimeoutError, WebSocketException, ValueError):
        return False
    return isinstance(answer, dict) and "result" in answer
