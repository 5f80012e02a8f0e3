"""An emulated node: an HTTP server in front of Anvil whose tricks change requests and answers."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Request = dict[str, Any]
_TRICKLE_BYTES, _TRICKLE_SECONDS = 64, 0.05


@dataclass(frozen=True, slots=True)
class Reply:
    """A node's reply: a JSON-RPC object (`answer`) or raw bytes, an HTTP status, and whether it `trickles`:
    comes a few bytes at a time."""

    answer: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    raw: bytes | None = None
    trickles: bool = False

    @property
    def result(self) -> Any:
        return self.answer.get("result")

    def body(self, request: Request) -> bytes:
        if self.raw is not None:
            return self.raw
        return json.dumps({"jsonrpc": "2.0", "id": request.get("id"), **self.answer}).encode()


Next = Callable[[Request], Reply]
Trick = Callable[[Request, Next], Reply]
"""The handling of a request; `Next` passes it on, towards Anvil."""


def error(code: Any, message: Any, data: Any = None, *, status: int = 200) -> Reply:
    """A JSON-RPC error as a reply."""
    said = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return Reply({"error": said}, status)


def result(value: Any) -> Reply:
    return Reply({"result": value})


@dataclass
class WorldNode:
    """One node: its tricks in order, the first nearest to the client. `met` counts requests that failed, by
    method."""

    target: str
    tricks: Sequence[Trick] = ()
    url: str = ""
    met: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> Reply:
        return self._pass(0)(request)

    def _pass(self, place: int) -> Next:
        if place == len(self.tricks):
            return self.forward
        return lambda request: self.tricks[place](request, self._pass(place + 1))

    def forward(self, request: Request) -> Reply:
        """Anvil's own answer."""
        parts = urlsplit(self.target)
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, **request}).encode()
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            told: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return Reply({key: told[key] for key in ("result", "error") if key in told})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore it: the client has disconnected."""


@contextmanager
def serving(node: WorldNode) -> Iterator[WorldNode]:
    """Serve the node on a free local port."""
    server = _Server(("127.0.0.1", 0), _handler(node))
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(node: WorldNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = node.answer(request)
            if reply.answer.get("error") is not None or reply.status != 200:
                node.met[str(request["method"])] += 1
            # The client may have disconnected.
            with suppress(OSError):
                self._send(reply, reply.body(request))

        def _send(self, reply: Reply, body: bytes) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not reply.trickles:
                self.wfile.write(body)
                return
            for start in range(0, len(body), _TRICKLE_BYTES):
                self.wfile.write(body[start : start + _TRICKLE_BYTES])
                self.wfile.flush()
                time.sleep(_TRICKLE_SECONDS)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler
