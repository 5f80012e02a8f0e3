"""A stand-in for Pyth's Hermes on local chains: its HTTP interface, and prices signed with a key of ours.

Updates are as our stand-in for Pyth takes them (`signed_pyth`), one per price, and can be made wrong in every
way that a keeper must survive. Times are the chain's, not the clock's.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Thread
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from eth_keys.datatypes import PrivateKey

from keeper.localchain.signed_pyth import EXPONENT, signed_update

Trouble = Literal["", "garbage", "slow", "refusing", "old", "early", "wrongly signed", "unsure"]
"""What is wrong with its answers; empty: nothing. For no answer at all see `HermesStandIn.stop`."""
_STRANGER = PrivateKey(b"\x01" * 32)
_FAR = 600
_PATH = "/v2/updates/price/"


@dataclass(frozen=True, slots=True, order=True)
class PublishedPrice:
    """A price and its 68 % confidence interval with 8 decimals, published at a Unix time."""

    published: int
    price: int
    confidence: int = 0


@dataclass
class HermesStandIn:
    """A server of the published prices, from `start` until `stop`; it can be started again."""

    trouble: Trouble = ""
    seconds: float = 5.0
    """Duration of an answer while `trouble` is "slow"."""
    asked: list[str] = field(default_factory=list)
    """The paths of all requests."""

    def __post_init__(self) -> None:
        self._history: dict[bytes, list[PublishedPrice]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def publish(self, identity: bytes, price: int, published: int, confidence: int = 0) -> None:
        """Add a price, later than all before it."""
        self._history.setdefault(identity, []).append(PublishedPrice(published, price, confidence))

    def start(self) -> None:
        """Listen: on a free port, later on the same again."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        self._server.daemon_threads = True
        self._port = int(self._server.server_address[1])
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(SHUT_RDWR)

    def connected(self, connection: socket) -> None:
        """Note a connection, so that `stop` closes it."""
        self._open.add(connection)

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body for a request."""
        self.asked.append(path)
        if self.trouble == "slow":
            time.sleep(self.seconds)
        if self.trouble == "garbage":
            return 200, b'{"binary": {"encoding": "hex", "data": ["zz"]}, "parsed": [{}]}'
        if self.trouble == "refusing":
            return 429, b"too many requests"
        parts = urlsplit(path)
        which = parts.path.removeprefix(_PATH)
        ids = [bytes.fromhex(each.removeprefix("0x")) for each in parse_qs(parts.query).get("ids[]", [])]
        # As Hermes does with the option to ignore unknown ids.
        ids = [each for each in ids if each in self._history]
        found = [self._found(each, which) for each in ids]
        if not parts.path.startswith(_PATH) or None in found:
            return 404, b"not found"
        updates, told = [], []
        for identity, place in zip(ids, found, strict=True):
            assert place is not None, "what was not found is answered above"
            update, row = self._signed(identity, place)
            updates.append(update.hex())
            told.append(row)
        return 200, json.dumps({"binary": {"encoding": "hex", "data": updates}, "parsed": told}).encode()

    def _found(self, identity: bytes, which: str) -> int | None:
        """Index in the history of the requested price; None where there is none."""
        history = self._history.get(identity, [])
        if which == "latest":
            return len(history) - 1 if history else None
        place = bisect_left(history, PublishedPrice(int(which), -(2**63)))
        return place if place < len(history) else None

    def _signed(self, identity: bytes, place: int) -> tuple[bytes, dict[str, object]]:
        history = self._history[identity]
        one = history[place]
        moved = {"old": -_FAR, "early": _FAR}.get(self.trouble, 0)
        published = one.published + moved
        before = (history[place - 1].published if place else one.published - 1) + moved
        confidence = one.price // 10 if self.trouble == "unsure" else one.confidence
        signer = {"signer": _STRANGER} if self.trouble == "wrongly signed" else {}
        update = signed_update(identity, one.price, published, before=before, confidence=confidence, **signer)
        price = {
            "price": str(one.price),
            "conf": str(confidence),
            "expo": EXPONENT,
            "publish_time": published,
        }
        row: dict[str, object] = {
            "id": identity.hex(),
            "price": price,
            "ema_price": price,
            "metadata": {"slot": place, "proof_available_time": published, "prev_publish_time": before},
        }
        return update, row


def _handler(service: HermesStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            service.connected(self.connection)

        def do_GET(self) -> None:
            status, body = service.answer(self.path)
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # The client has disconnected: the answer was too slow.
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
