"""What is remembered of a market from block to block. Values: a step returns the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# Seconds of block time until a market that was stopped is tried again; doubled after each failed try.
FIRST_RETRY, LAST_RETRY = 60, 3_600


@dataclass(frozen=True, slots=True)
class WatchOnly:
    """Why a market, or parts of it, are only watched, and from which block time they are compared anew.

    `reason` is empty where the market may be acted in. `parts` (see `part`) are suspended by themselves, each
    with its reason: one part's failure leaves the other parts alone."""

    reason: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    retry_at: int = 0
    retry_wait: int = 0

    def stop(self, reason: str, timestamp: int) -> WatchOnly:
        """Stop acting in the market until a new comparison agrees. The first reason stays."""
        return replace(self, reason=self.reason or reason)._retry_later(timestamp)

    def suspend(self, parts: Mapping[str, str], timestamp: int) -> WatchOnly:
        """Suspend parts of the market until a new comparison agrees."""
        if not parts:
            return self
        return replace(self, parts={**parts, **self.parts})._retry_later(timestamp)

    def is_retry_due(self, timestamp: int) -> bool:
        """Whether it is time to compare anew what was stopped."""
        return bool(self.reason or self.parts) and timestamp >= self.retry_at

    def lifted(self) -> WatchOnly:
        """Lift every stop and suspension: the comparison that follows decides whether they stay lifted."""
        return replace(self, reason="", parts={})

    def _retry_later(self, timestamp: int) -> WatchOnly:
        if timestamp < self.retry_at:
            return self
        wait = 0 if timestamp > self.retry_at + LAST_RETRY else self.retry_wait
        wait = min(2 * wait or FIRST_RETRY, LAST_RETRY)
        return replace(self, retry_wait=wait, retry_at=timestamp + wait)


@dataclass(frozen=True, slots=True)
class MarketMemory:
    """What the last block left: whether the market is acted in, the row whose turn in the sample is next, and
    the accounts with the lowest healths, the lowest first."""

    watch_only: WatchOnly = field(default_factory=WatchOnly)
    turn: int = 0
    nearest: tuple[str, ...] = ()


BLANK = MarketMemory()
"""The memory of a market that was never valued."""
