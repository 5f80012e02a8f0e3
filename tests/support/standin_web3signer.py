"""A stand-in for web3signer's HTTP interface: it lists its public keys and signs the keccak hash of what
it is given. It is not web3signer: no vault, no authentication, no slashing protection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak


@dataclass
class StandInWeb3Signer:
    """`wrong`: it signs with another key than it was asked for."""

    key: PrivateKey
    url: str = ""
    wrong: bool = False
    signed: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.key.public_key.to_checksum_address())

    @property
    def identifier(self) -> str:
        return "0x" + self.key.public_key.to_bytes().hex()

    def sign(self, data: str) -> str:
        self.signed.append(data)
        key = PrivateKey(b"\x01" * 32) if self.wrong else self.key
        signature = key.sign_msg_hash(keccak(hexstr=data)).to_bytes()
        return "0x" + signature[:64].hex() + f"{signature[64] + 27:02x}"


@contextmanager
def standin_web3signer(key: str) -> Iterator[StandInWeb3Signer]:
    """Such a signer on a free port of this machine."""
    signer = StandInWeb3Signer(PrivateKey(bytes.fromhex(key.removeprefix("0x"))))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/api/v1/eth1/publicKeys"
            self._say(200 if found else 404, json.dumps([signer.identifier]))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == f"/api/v1/eth1/sign/{signer.identifier}":
                self._say(200, signer.sign(body["data"]))
            else:
                self._say(404, "no such key")

        def _say(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    signer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield signer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
