"""A subscription to new heads: the newest of which any of a chain's websocket addresses told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.stream import ASK_HEADS, Stream


class Subscription(Stream):
    """The newest head that any of `urls` told of.

    `on_head` is called from the subscription's own thread, after `newest` has changed."""

    def __init__(self, chain: str, chain_id: int, urls: Sequence[str], on_head: Callable[[], None]) -> None:
        super().__init__(chain, chain_id, urls, ASK_HEADS, "heads", self._take_head)
        self.on_head = on_head
        self.newest: Head | None = None

    def heard_within(self, seconds: float) -> bool:
        """Whether a head came within the last so many seconds."""
        return self.newest is not None and time.monotonic() - self.heard_at <= seconds

    def _take_head(self, header: Any) -> None:
        self.newest = blocks.parse(header)
        self.on_head()
