"""A subscription to new heads that keeps itself alive: one address at a time, the next when it fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import structlog
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.node import NodeError
from keeper.chain.websocket import ASK_HEADS, SECONDS

log = structlog.get_logger()

LONGEST_WAIT = 30.0
_ASK_CHAIN = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []})


class Subscription:
    """The newest head that any of `urls` told of, each tried in turn when one fails or is silent.

    `on_head` is called from the subscription's own thread, after `newest` has changed."""

    def __init__(self, chain: str, chain_id: int, urls: Sequence[str], on_head: Callable[[], None]) -> None:
        self.chain = chain
        self.chain_id = chain_id
        self.urls = urls
        self.on_head = on_head
        self.newest: Head | None = None
        self.heard_at = 0.0
        self._stopping = threading.Event()
        self._socket: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name=f"heads:{chain}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the subscription; returns when its thread has."""
        self._stopping.set()
        self.leave()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * SECONDS)

    def leave(self) -> None:
        """Close the present connection: the next address is tried."""
        socket = self._socket
        if socket is not None:
            try:
                socket.close()
            except (OSError, WebSocketException):
                return

    def heard_within(self, seconds: float) -> bool:
        """Whether a head came within the last so many seconds."""
        return self.newest is not None and time.monotonic() - self.heard_at <= seconds

    def _run(self) -> None:
        turn, wait = 0, 0.5
        while not self._stopping.is_set():
            url = self.urls[turn % len(self.urls)]
            turn += 1
            label = f"node {urlsplit(url).hostname}:{urlsplit(url).port or ''}"
            before = self.heard_at
            try:
                self._listen(url, label)
            except (OSError, TimeoutError, WebSocketException, ValueError, NodeError) as error:
                log.warning("heads lost", chain=self.chain, node=label, error=type(error).__name__)
            # Whoever told of a head is tried again soon; the others ever later.
            wait = 0.5 if self.heard_at > before else min(wait * 2, LONGEST_WAIT)
            self._stopping.wait(wait)

    def _listen(self, url: str, label: str) -> None:
        with connect(url, open_timeout=SECONDS, close_timeout=SECONDS) as socket:
            self._socket = socket
            socket.send(_ASK_CHAIN)
            found = int(json.loads(socket.recv(timeout=SECONDS))["result"], 16)
            if found != self.chain_id:
                raise NodeError(f"serves chain {found}", where=label)
            socket.send(ASK_HEADS)
            for message in socket:
                told = json.loads(message)
                if told.get("method") != "eth_subscription":
                    if "error" in told:
                        raise NodeError("refuses to tell of new heads", where=label)
                    continue
                self.newest = blocks.parse(told["params"]["result"])
                self.heard_at = time.monotonic()
                self.on_head()
                if self._stopping.is_set():
                    return
