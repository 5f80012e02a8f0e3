"""A subscription to new heads: the newest of which any of a chain's websocket addresses told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.stream import Stream
from keeper.chain.websocket import ASK_HEADS


class Subscription:
    """The newest head that any of `urls` told of.

    `on_head` is called from the subscription's own thread, after `newest` has changed."""

    def __init__(self, chain: str, chain_id: int, urls: Sequence[str], on_head: Callable[[], None]) -> None:
        self.on_head = on_head
        self.newest: Head | None = None
        self._stream = Stream(chain, chain_id, urls, ASK_HEADS, "heads", self._told)

    def start(self) -> None:
        self._stream.start()

    def stop(self) -> None:
        """End the subscription; returns when its thread has."""
        self._stream.stop()

    def leave(self) -> None:
        """Close the present connection: the next address is tried."""
        self._stream.leave()

    def heard_within(self, seconds: float) -> bool:
        """Whether a head came within the last so many seconds."""
        return self.newest is not None and time.monotonic() - self._stream.heard_at <= seconds

    def _told(self, header: Any) -> None:
        self.newest = blocks.parse(header)
        self.on_head()
