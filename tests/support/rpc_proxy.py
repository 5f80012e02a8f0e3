"""A JSON-RPC proxy before a local node: it counts, remembers and, where told to, refuses requests."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Request = dict[str, Any]
Refusal = int | str | None
"""An HTTP status, the message of a JSON-RPC error, or None to let the request through."""
Rule = Callable[[Request], Refusal]
Change = Callable[[Request], None]
"""What becomes of a request before the node sees it; changed in place."""
Lie = Callable[[Request, Any], Any]
"""What becomes of a result before whoever asked sees it."""


@dataclass
class RpcProxy:
    """What went through to `target`, and the rules (first refusal wins) that decide what does."""

    target: str
    url: str = ""
    rules: list[Rule] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    refused: list[Request] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    answers: list[Lie] = field(default_factory=list)

    def forget(self) -> None:
        """Start counting anew."""
        self.seen.clear()
        self.refused.clear()

    def counts(self) -> Counter[str]:
        """Requests let through, by method."""
        return Counter(str(request["method"]) for request in self.seen)

    def log_ranges(self) -> list[tuple[int, int]]:
        """Block ranges of the log requests that were answered, in order; those by block hash left out."""
        queries = [request["params"][0] for request in self.seen if request["method"] == "eth_getLogs"]
        return [_range(query) for query in queries if "fromBlock" in query]

    def refusal(self, request: Request) -> Refusal:
        for rule in self.rules:
            refusal = rule(request)
            if refusal is not None:
                return refusal
        return None


def deny(*methods: str) -> Rule:
    """The node does not know these methods."""
    return lambda request: "the method does not exist" if request["method"] in methods else None


def longest_range(blocks: int, refusal: int | str) -> Rule:
    """Log requests over more than so many blocks are refused."""

    def rule(request: Request) -> Refusal:
        if request["method"] != "eth_getLogs" or "fromBlock" not in request["params"][0]:
            return None
        first, last = _range(request["params"][0])
        return refusal if last - first + 1 > blocks else None

    return rule


def largest_call(size: int, refusal: int | str) -> Rule:
    """`eth_call` with more than so many characters of data is refused."""

    def rule(request: Request) -> Refusal:
        if request["method"] != "eth_call" or len(request["params"][0]["data"]) <= size:
            return None
        return refusal

    return rule


@contextmanager
def proxy_to(target: str) -> Iterator[RpcProxy]:
    """A proxy on a free port of this machine; it ends with the block."""
    proxy = RpcProxy(target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy))
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _range(query: dict[str, str]) -> tuple[int, int]:
    return int(query["fromBlock"], 16), int(query["toBlock"], 16)


def _handler(proxy: RpcProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parsed = json.loads(body)
            requests: list[Request] = parsed if isinstance(parsed, list) else [parsed]
            for request in requests:
                refusal = proxy.refusal(request)
                if refusal is not None:
                    proxy.refused.append(request)
                    self._refuse(refusal, request)
                    return
            proxy.seen.extend(json.loads(body) if isinstance(parsed, list) else [json.loads(body)])
            for request in requests:
                for change in proxy.changes:
                    change(request)
            status, answer = _forward(proxy.target, json.dumps(parsed).encode())
            if proxy.answers and not isinstance(parsed, list):
                told = json.loads(answer)
                for lie in proxy.answers:
                    if "result" in told:
                        told["result"] = lie(parsed, told["result"])
                answer = json.dumps(told).encode()
            self._answer(status, answer)

        def _refuse(self, refusal: int | str, request: Request) -> None:
            if isinstance(refusal, int):
                self._answer(refusal, b"refused")
                return
            error = {"code": -32005, "message": refusal}
            self._answer(200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode())

        def _answer(self, status: int, body: bytes) -> None:
            # Whoever asked may be gone: a process that a test ended.
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: the tests look at `seen`."""

    return Handler


def _forward(target: str, body: bytes) -> tuple[int, bytes]:
    parts = urlsplit(target)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request("POST", parts.path or "/", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
