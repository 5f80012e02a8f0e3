"""A websocket subscription that keeps itself alive: one address at a time, the next when it fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from keeper.chain.node import NodeError
from keeper.chain.websocket import SECONDS

log = structlog.get_logger()

LONGEST_WAIT = 30.0
_ASK_CHAIN = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []})


class Stream:
    """What any of `urls` tells of a subscription `ask` (JSON), each tried in turn when one fails.

    `on_told` is called with each thing told, from the stream's own thread; what it raises of a node's kind
    (NodeError, ValueError) ends the connection. `what` names the subscription in the log.
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
        """Whether a node has taken the subscription and has not gone since."""
        self._stopping = threading.Event()
        self._socket: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name=f"{what}:{chain}", daemon=True)

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
        with connect(url, open_timeout=SECONDS, close_timeout=SECONDS) as socket:
            self._socket = socket
            socket.send(_ASK_CHAIN)
            found = int(json.loads(socket.recv(timeout=SECONDS))["result"], 16)
            if found != self.chain_id:
                raise NodeError(f"serves chain {found}", where=label)
            socket.send(self.ask)
            for message in socket:
                told = json.loads(message)
                if told.get("method") != "eth_subscription":
                    if "error" in told:
                        raise NodeError(f"refuses to tell of {self.what}", where=label)
                    self.listening = True
                    continue
                self.heard_at = time.monotonic()
                self.on_told(told["params"]["result"])
                if self._stopping.is_set():
                    return
