"""A node that misbehaves as nodes do, before a local one: slow, refusing, cut off, behind, strict."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

Request = dict[str, Any]
Fault = Literal["slow", "429", "500", "drop", "truncate", "lose_answer"]
FAULTS: tuple[Fault, ...] = ("slow", "429", "500", "drop", "truncate", "lose_answer")
Chooser = Callable[[Request], Fault | None]


def no_fault(_: Request) -> Fault | None:
    return None


def random_faults(dice: random.Random, often: float, faults: tuple[Fault, ...] = FAULTS) -> Chooser:
    """Each request meets one of `faults` with this probability."""

    def choose(_: Request) -> Fault | None:
        return dice.choice(faults) if dice.random() < often else None

    return choose


@dataclass
class FaultyNode:
    """`choose` says what befalls a request. `behind`: blocks it lags. `holds`: transactions are taken and
    kept back. `strict`: a replacement must raise both fees by a tenth, as on mainnet. `most_logs`: blocks a
    log request may span; `most_batch`: requests in one body."""

    target: str
    url: str = ""
    choose: Chooser = no_fault
    behind: int = 0
    holds: bool = False
    strict: bool = True
    most_logs: int | None = None
    most_batch: int | None = None
    met: Counter[str] = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    """Hashes of the raw transactions that reached the chain's node, each as often as it did."""
    held: dict[str, str] = field(default_factory=dict)
    _fees: dict[tuple[str, int], tuple[str, int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def release(self) -> None:
        """Pass on what was held back."""
        self.holds = False
        for raw in list(self.held.values()):
            self._forward("eth_sendRawTransaction", [raw])
        self.held.clear()

    def answer(self, request: Request) -> dict[str, Any]:
        method, params = request["method"], list(request.get("params") or [])
        if method == "eth_sendRawTransaction":
            return self._send(params[0])
        if method == "eth_getTransactionByHash" and params[0] in self.held:
            return {"result": {"hash": params[0], "blockNumber": None}}
        if method == "eth_getLogs" and self.most_logs is not None and "fromBlock" in params[0]:
            span = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1
            if span > self.most_logs:
                self.met["log range"] += 1
                return _refusal(f"query exceeds max block range {self.most_logs}")
        if self.behind:
            return self._from_behind(method, params)
        return self._forward(method, params)

    def _send(self, raw: str) -> dict[str, Any]:
        digest = "0x" + keccak(hexstr=raw).hex()
        refusal = self._underpriced(raw, digest) if self.strict else None
        if refusal is not None:
            self.met["underpriced"] += 1
            return refusal
        if self.holds:
            self.met["held"] += 1
            self.held[digest] = raw
            return {"result": digest}
        self.sent.append(digest)
        return self._forward("eth_sendRawTransaction", [raw])

    def _underpriced(self, raw: str, digest: str) -> dict[str, Any] | None:
        """Mainnet's rule for a second transaction at a nonce."""
        sender = Account.recover_transaction(raw)
        tx = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        key = (sender, int(tx["nonce"]))
        offered = (digest, int(tx["maxFeePerGas"]), int(tx["maxPriorityFeePerGas"]))
        with self._lock:
            before = self._fees.get(key)
            if before is not None and before[0] != digest:
                if any(new * 10 < old * 11 for new, old in zip(offered[1:], before[1:], strict=True)):
                    return _refusal("replacement transaction underpriced")
                self.held.pop(before[0], None)
            self._fees[key] = offered
        return None

    def _from_behind(self, method: str, params: list[Any]) -> dict[str, Any]:
        """As a node answers that is some blocks behind."""
        head = max(int(self._forward("eth_blockNumber", [])["result"], 16) - self.behind, 0)
        if method == "eth_blockNumber":
            return {"result": hex(head)}
        for place, param in enumerate(params):
            if isinstance(param, dict) and "blockHash" in param:
                block = self._forward("eth_getBlockByHash", [param["blockHash"], False]).get("result")
                if block is None or int(block["number"], 16) > head:
                    return _refusal("header not found")
            if param in ("latest", "pending"):
                params[place] = hex(head)
        answer = self._forward(method, params)
        found = answer.get("result")
        if isinstance(found, dict) and method.startswith("eth_getTransaction"):
            block = found.get("blockNumber")
            return {"result": None} if block and int(block, 16) > head else answer
        return answer

    def _forward(self, method: str, params: list[Any]) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        parts = urlsplit(self.target)
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return {key: answer[key] for key in ("result", "error") if key in answer}


def _refusal(message: str) -> dict[str, Any]:
    return {"error": {"code": -32000, "message": message}}


@contextmanager
def faulty(target: str) -> Iterator[FaultyNode]:
    """Such a node on a free port of this machine; well-behaved until told otherwise."""
    node = FaultyNode(target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(node))
    server.daemon_threads = True
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(node: FaultyNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            parsed = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked: list[Request] = parsed if isinstance(parsed, list) else [parsed]
            if node.most_batch is not None and len(asked) > node.most_batch:
                node.met["batch"] += 1
                self._answer(413, b"too many requests in one body")
                return
            fault = next((f for f in map(node.choose, asked) if f), None)
            if fault:
                node.met[fault] += 1
            if fault in ("429", "500"):
                self._answer(int(fault), b"no")
                return
            if fault == "drop":
                self.close_connection = True
                return
            if fault == "slow":
                time.sleep(0.15)
            answers = [{"jsonrpc": "2.0", "id": each["id"], **node.answer(each)} for each in asked]
            body = json.dumps(answers if isinstance(parsed, list) else answers[0]).encode()
            if fault == "lose_answer":
                self.close_connection = True
                return
            self._answer(200, body[: len(body) // 2] if fault == "truncate" else body)

        def _answer(self, status: int, body: bytes) -> None:
            # Whoever asked may be gone: a process that a test ended.
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: the tests look at what was met."""

    return Handler
