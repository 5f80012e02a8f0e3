"""JSON over HTTP to one URL, over connections that stay open: every request to a node goes through here.

urllib3 itself, without the layers above it: on a local node they cost more than the answer does. The whole
answer, headers included, has one deadline, and after decompression a size limit.
"""

from __future__ import annotations

import builtins
import io
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from http.client import HTTPResponse
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError
from urllib3.util import make_headers

# More threads than this at once open connections that are closed after one request.
KEPT_OPEN = 16
# Bytes of an answer, decompressed: more than any that is asked for needs.
MOST_ANSWER = 128 * 2**20
_MOST_ERROR = 64 * 2**10
_FIRST_NOT_ANSWERED = 300


class PostError(Exception):
    """No answer: the connection broke, or the bytes are incomplete."""


class PostUnsentError(PostError):
    """No server is listening: nothing was sent."""


class PostTimeoutError(PostError):
    """No complete answer within the time limit."""


class PostTooLongError(PostError):
    """The answer is longer than the size limit."""


class PostStatusError(PostError):
    """The answer is an HTTP error; `body` is the beginning of its content."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class Poster:
    """Posts to one URL; safe to use from several threads. Nothing is repeated and no redirection followed:
    the caller knows whether that is safe. Credentials in the URL go as basic authentication; the
    environment's proxies are used. `timeout`: seconds within which the whole answer must arrive."""

    def __init__(self, url: str, timeout: float, *, most: int = MOST_ANSWER) -> None:
        self._url = url
        self._timeout = Timeout(connect=timeout, read=timeout)
        self._most = most
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": "keeper",
            **make_headers(accept_encoding="gzip,deflate"),
        }
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers.update(make_headers(basic_auth=secret))

    @cached_property
    def _open(self) -> Callable[..., BaseHTTPResponse]:
        """The connection pool: straight to the host, or through a proxy."""
        parts = urlsplit(self._url)
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
        options: dict[str, Any] = {"maxsize": KEPT_OPEN, "ca_certs": _trusted()}
        manager = ProxyManager(proxy, **options) if proxy else PoolManager(**options)
        manager.pool_classes_by_scheme = TIMELY_POOLS
        if proxy:
            origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            return lambda method, path, **more: manager.urlopen(method, origin + path, redirect=False, **more)
        return partial(manager.connection_from_url(plain).urlopen, redirect=False)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """The answer's body. PostError when there is none, of the kind that says why."""
        return self.ask("POST", self._target, body, headers)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """As `post`, by any method at any path of the host."""
        try:
            answer = self._open(
                method,
                path,
                body=body,
                headers={**self._headers, **(headers or {})},
                timeout=self._timeout,
                retries=False,
                preload_content=False,
            )
            return self._whole(answer)
        except NewConnectionError as error:
            # Nobody listens there; urllib3 counts that among the timeouts.
            raise PostUnsentError(type(error).__name__) from None
        except TimeoutError:
            raise PostTimeoutError("no answer in time") from None
        except (HTTPError, OSError, ValueError) as error:
            raise PostError(type(error).__name__) from None

    def _whole(self, answer: BaseHTTPResponse) -> bytes:
        """The answer's bytes. An answer not read to its end makes its connection unusable: it is closed."""
        failed = answer.status >= _FIRST_NOT_ANSWERED
        most = _MOST_ERROR if failed else self._most
        try:
            body = answer.read(most + 1)
            rest = len(body) > most
            if rest:
                answer.close()
            else:
                answer.drain_conn()
        except BaseException:
            answer.close()
            if failed:
                raise PostStatusError(answer.status) from None
            raise
        answer.release_conn()
        if failed:
            raise PostStatusError(answer.status, body[:most])
        if rest:
            raise PostTooLongError(f"more than {self._most} bytes")
        return body


class _Timely(io.RawIOBase):
    """A socket's data received until a deadline (monotonic seconds), however slowly it comes."""

    def __init__(self, received: socket.socket, until: float) -> None:
        self._socket = received
        # Holds the socket open as long as this is: the connection may be given up before it is read.
        self._raw = received.makefile("rb", buffering=0)
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise builtins.TimeoutError("the answer is not whole in time")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


@dataclass(frozen=True, slots=True)
class _Received:
    """The received side of a socket as a file, as far as a response needs one."""

    socket: socket.socket
    until: float

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Timely(self.socket, self.until))


def _response(received: socket.socket, *args: Any, until: float, **more: Any) -> HTTPResponse:
    return HTTPResponse(_Received(received, until), *args, **more)  # type: ignore[arg-type]


class _TimelyConnection(HTTPConnection):
    def getresponse(self) -> Any:
        seconds = self.timeout if isinstance(self.timeout, int | float) else None
        until = time.monotonic() + seconds if seconds is not None else float("inf")
        self.response_class = partial(_response, until=until)  # type: ignore[assignment]
        return super().getresponse()


class _TimelySecureConnection(HTTPSConnection):
    getresponse = _TimelyConnection.getresponse


class _TimelyPool(HTTPConnectionPool):
    ConnectionCls = _TimelyConnection


class _TimelySecurePool(HTTPSConnectionPool):
    ConnectionCls = _TimelySecureConnection


TIMELY_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _TimelyPool, "https": _TimelySecurePool}
"""For a urllib3 manager (`pool_classes_by_scheme`): answers are complete within the read timeout, or fail."""


def _trusted() -> str:
    """The file of trusted certificates: the environment's (an operator's own authority), else the usual."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"))
    return next(filter(None, named), certifi.where())
