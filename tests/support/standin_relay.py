"""A stand-in for a private relay: it speaks the two methods of Flashbots' interface, and may keep what it is
given, refuse it, or pass it on to a local node. It is no relay: it builds no blocks and checks no bundle."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from keeper.localchain.rpc import LocalRpc


@dataclass
class StandInRelay:
    """`behaviour`: pass transactions on to the node, swallow them silently, or refuse them."""

    rpc: LocalRpc
    url: str = ""
    behaviour: Literal["pass", "swallow", "refuse"] = "pass"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    unsigned: int = 0

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((method, params))
        if self.behaviour == "refuse":
            return {"error": {"code": -32000, "message": "not today"}}
        if method == "eth_sendPrivateTransaction":
            return {"result": self._take([params["tx"]])}
        if method == "eth_sendBundle":
            return {"result": {"bundleHash": self._take(params["txs"])}}
        if method == "mev_sendBundle":
            raws = [each["tx"] for each in params["body"] if "tx" in each]
            return {"result": {"bundleHash": self._take(raws)}}
        return {"error": {"code": -32601, "message": "the method does not exist"}}

    def _take(self, raws: list[str]) -> str:
        if self.behaviour == "pass":
            for raw in raws:
                self.rpc.call("eth_sendRawTransaction", raw)
        return "0x" + keccak(hexstr=raws[-1]).hex()


def proven(body: bytes, header: str) -> bool:
    """Whether the header is an address and its signature of the body's hash."""
    address, _, signature = header.partition(":")
    message = encode_defunct(text="0x" + keccak(body).hex())
    return bool(address) and Account.recover_message(message, signature=signature) == address


@contextmanager
def standin_relay(rpc: LocalRpc) -> Iterator[StandInRelay]:
    """Such a relay on a free port of this machine."""
    relay = StandInRelay(rpc)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            relay.unsigned += not proven(body, self.headers.get("X-Flashbots-Signature", ""))
            request = json.loads(body)
            answer = relay.answer(request["method"], request["params"][0])
            said = json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: the tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    relay.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
