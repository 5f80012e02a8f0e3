"""Answers of alert services, bounded in time and size: Apprise asks by `requests`, which bounds neither.

A service that answers a byte at a time, or without end, must not hold up the alerts of the others.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from keeper.chain.http import TIMELY_POOLS

# Bytes of an answer, decompressed: a service says a few words.
MOST_ANSWER = 2**20


class BoundedAdapter(HTTPAdapter):
    """Gives each whole answer one deadline (the request's read timeout) and a size limit."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = TIMELY_POOLS

    def send(self, request: Any, stream: bool = False, *args: Any, **more: Any) -> requests.Response:
        answer = super().send(request, True, *args, **more)
        if stream:
            return answer
        try:
            body = answer.raw.read(MOST_ANSWER + 1, decode_content=True)
        except (HTTPError, OSError, ValueError) as error:
            answer.close()
            raise requests.ConnectionError(type(error).__name__) from None
        if len(body) > MOST_ANSWER:
            answer.close()
            raise requests.ConnectionError("the answer is too long")
        answer._content, answer._content_consumed = body, True
        return answer


def bound_requests() -> None:
    """Bound every session of `requests` in this process, those that Apprise's plugins open included."""
    requests.sessions.HTTPAdapter = BoundedAdapter  # type: ignore[attr-defined]
