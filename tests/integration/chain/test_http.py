"""Posting to a node: what counts as an answer, what as none, and that nothing goes out twice."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keeper.chain.http import (
    Poster,
    PostError,
    PostStatusError,
    PostTimeoutError,
    PostTooLongError,
    PostUnsentError,
)

pytestmark = pytest.mark.integration


@dataclass
class Server:
    """Answers as its `manner` says, and remembers what came."""

    url: str = ""
    manner: str = "answers"
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    clients: set[tuple[str, int]] = field(default_factory=set)
    closed: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            state.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            state.headers.append({name.title(): value for name, value in self.headers.items()})
            state.clients.add(self.client_address)
            if state.manner == "hangs up":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if state.manner == "is silent":
                time.sleep(1)
            if state.manner.startswith("trickles"):
                self._trickle()
                return
            status = int(state.manner) if state.manner.isdigit() else 200
            body = {
                "compresses": gzip.compress(b"whole"),
                "is a bomb": gzip.compress(bytes(3_000_000)),
                "is long": bytes(3_000_000),
            }.get(state.manner, b"whole")
            self.send_response(status)
            if status == 307:
                self.send_header("Location", f"{state.url}/elsewhere")
            if state.manner in ("compresses", "is a bomb"):
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body) + (9 if state.manner == "cuts off" else 0)))
            self.end_headers()
            self.wfile.write(body)
            if state.manner in ("cuts off", "closes"):
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                state.closed.set()

        def _trickle(self) -> None:
            """One byte at a time, for ever, always sooner than a read's own limit: from the headers on, or
            from the body on, or within a chunk's length."""
            starts = {
                "trickles headers": b"HTTP/1.1 200 OK\r\nX-A: ",
                "trickles body": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
                "trickles chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=",
            }
            self.close_connection = True
            with suppress(OSError):
                self.wfile.write(starts[state.manner])
                for _ in range(400):
                    self.wfile.write(b"a")
                    time.sleep(0.02)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{listening.server_port}"
        yield state
        listening.shutdown()


def test_one_connection_serves_many_requests(server: Server) -> None:
    poster = Poster(server.url, 5.0)
    assert [poster.post(b"one"), poster.post(b"two")] == [b"whole", b"whole"]
    assert server.bodies == [b"one", b"two"] and len(server.clients) == 1


def test_a_connection_that_the_node_closed_meanwhile_is_opened_anew(server: Server) -> None:
    poster = Poster(server.url, 5.0)
    server.manner = "closes"
    assert poster.post(b"one") == b"whole"
    assert server.closed.wait(5)
    assert poster.post(b"again") == b"whole"
    assert len(server.clients) == 2


def test_compressed_answers_are_read(server: Server) -> None:
    server.manner = "compresses"
    assert Poster(server.url, 5.0).post(b"") == b"whole"


def test_credentials_of_the_url_go_as_basic_authentication(server: Server) -> None:
    Poster(server.url.replace("//", "//us%40er:se%3Acret@"), 5.0).post(b"")
    assert server.headers[0]["Authorization"] == "Basic dXNAZXI6c2U6Y3JldA=="
    assert "secret" not in server.headers[0]["Host"]


@pytest.mark.parametrize("status", [307, 429, 500])
def test_errors_and_redirections_are_no_answer_and_are_not_followed(server: Server, status: int) -> None:
    server.manner = str(status)
    with pytest.raises(PostStatusError) as raised:
        Poster(server.url, 5.0).post(b"once")
    assert raised.value.status == status and server.bodies == [b"once"]


@pytest.mark.parametrize("manner", ["hangs up", "cuts off"])
def test_a_broken_answer_is_none_and_the_request_is_not_repeated(server: Server, manner: str) -> None:
    server.manner = manner
    poster = Poster(server.url, 5.0)
    with pytest.raises(PostError) as raised:
        poster.post(b"once")
    assert type(raised.value) is PostError and server.bodies == [b"once"]


def test_silence_ends_at_the_time_limit(server: Server) -> None:
    server.manner = "is silent"
    with pytest.raises(PostTimeoutError):
        Poster(server.url, 0.1).post(b"once")
    assert server.bodies == [b"once"]


@pytest.mark.parametrize("what", ["headers", "body", "chunks"])
def test_an_answer_that_trickles_ends_at_the_time_limit(server: Server, what: str) -> None:
    """Each byte comes in time; the whole does not."""
    server.manner = f"trickles {what}"
    started = time.monotonic()
    with pytest.raises(PostTimeoutError):
        Poster(server.url, 0.3).post(b"once")
    assert time.monotonic() - started < 2 and server.bodies == [b"once"]


@pytest.mark.parametrize("manner", ["is long", "is a bomb"])
def test_an_answer_longer_than_any_that_is_wanted_is_given_up(server: Server, manner: str) -> None:
    """Also when it is short until it is decompressed; the next request is answered as ever."""
    poster = Poster(server.url, 5.0, most=1_000_000)
    server.manner = manner
    with pytest.raises(PostTooLongError):
        poster.post(b"once")
    server.manner = "answers"
    assert poster.post(b"again") == b"whole"


def test_nobody_listening_is_no_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(PostError) as raised:
        Poster(f"http://127.0.0.1:{port}", 5.0).post(b"")
    assert type(raised.value) is PostUnsentError


def test_the_environment_s_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Poster("http://node.invalid/key", 5.0).post(b"through") == b"whole"
    assert server.headers[0]["Host"] == "node.invalid"
