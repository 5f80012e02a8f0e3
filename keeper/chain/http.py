"""Posting JSON to one URL over connections that stay open: what every request to a node goes through.

urllib3 itself, without the layers above it: on a local node they cost more than the answer does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError
from urllib3.util import make_headers

# More threads than this at once open connections that are closed after one request.
KEPT_OPEN = 16
_FIRST_NOT_ANSWERED = 300


class PostError(Exception):
    """There is no answer: nobody listens, the connection broke, or the bytes are not whole."""


class PostTimeoutError(PostError):
    """There is no answer in time."""


class PostStatusError(PostError):
    """The answer is an HTTP error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Poster:
    """One URL; safe to use from several threads. Nothing is repeated, no redirection followed: whoever asks
    knows whether that is safe. Credentials in the URL go as basic authentication; the environment's proxies
    are used."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = Timeout(connect=timeout, read=timeout)
        parts = urlsplit(url)
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": "keeper",
            **make_headers(accept_encoding=True),
        }
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers.update(make_headers(basic_auth=secret))

    @cached_property
    def _open(self) -> Callable[..., BaseHTTPResponse]:
        """Ready to post: straight to the host, or by a proxy."""
        parts = urlsplit(self._url)
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
        if proxy:
            through = ProxyManager(proxy, maxsize=KEPT_OPEN, ca_certs=_trusted())
            return partial(through.urlopen, "POST", plain, redirect=False)
        hosts = PoolManager(maxsize=KEPT_OPEN, ca_certs=_trusted())
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return partial(hosts.connection_from_url(plain).urlopen, "POST", target, redirect=False)

    def post(self, body: bytes) -> bytes:
        """The answer's body. PostError when there is none, of the kind that says why."""
        try:
            answer = self._open(body=body, headers=self._headers, timeout=self._timeout, retries=False)
        except NewConnectionError as error:
            # Nobody listens there; urllib3 counts that among the timeouts.
            raise PostError(type(error).__name__) from None
        except TimeoutError:
            raise PostTimeoutError("no answer in time") from None
        except (HTTPError, OSError) as error:
            raise PostError(type(error).__name__) from None
        if answer.status >= _FIRST_NOT_ANSWERED:
            raise PostStatusError(answer.status)
        return answer.data


def _trusted() -> str:
    """The file of trusted certificates: the environment's (an operator's own authority), else the usual."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"))
    return next(filter(None, named), certifi.where())
