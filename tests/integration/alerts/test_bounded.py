"""A service that answers without end, or a byte at a time, or sends elsewhere, has not taken a message."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keeper.alerts import channels
from keeper.alerts.channels import channel
from keeper.config import AlertChannel

pytestmark = pytest.mark.integration


@dataclass
class Service:
    address: str = ""
    manner: str = "answers"
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state.paths.append(self.path)
            self.send_response(307 if state.manner == "redirects" else 200)
            if state.manner == "redirects":
                self.send_header("Location", f"http://{state.address}/elsewhere")
            self.send_header("Content-Length", "2" if state.manner == "answers" else "100000000")
            self.end_headers()
            with suppress(OSError):
                if state.manner == "answers":
                    self.wfile.write(b"ok")
                while state.manner == "never ends":
                    self.wfile.write(bytes(2**16))
                for _ in range(200 if state.manner == "trickles" else 0):
                    self.wfile.write(b"a")
                    time.sleep(0.02)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        state.address = f"127.0.0.1:{listening.server_port}"
        yield state
        listening.shutdown()


def _send(service: Service) -> str:
    url = f"json://{service.address}/hook?rto=0.5&cto=0.5"
    return channel(0, AlertChannel(url=url)).send("title", "body", "critical")


def test_an_answer_in_time_and_of_some_words_is_taken(service: Service) -> None:
    assert _send(service) == ""


@pytest.mark.parametrize("manner", ["never ends", "trickles", "redirects"])
def test_what_is_no_whole_answer_here_and_now_is_none(service: Service, manner: str) -> None:
    service.manner = manner
    started = time.monotonic()
    assert _send(service) != ""
    assert time.monotonic() - started < 3
    assert set(service.paths) == {"/hook"}, "no redirection is followed"


def test_a_service_that_hangs_is_given_up_and_not_asked_again_meanwhile(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever protocol it speaks: the deadline is not the library's."""
    monkeypatch.setattr(channels, "MOST_SECONDS", 0.1)
    found = channel(0, AlertChannel(url=f"json://{service.address}/hook"))
    free = threading.Event()
    monkeypatch.setattr(type(found), "_notify", lambda *_: (free.wait(10) and "") or "")
    assert "did not take it" in found.send("title", "body", "critical")
    assert found.send("title", "body", "critical") == "is still busy with the message before"
    free.set()
