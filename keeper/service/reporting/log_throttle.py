"""Repeated failures are logged when they begin or change, and once per minute while they last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

AGAIN_SECONDS = 60.0


@dataclass
class LogThrottle:
    """What was logged last of each subject, and when. Thread-safe."""

    clock: Callable[[], float] = time.monotonic
    _said: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def should_log(self, subject: str, words: str) -> bool:
        """Whether to log this now; it then counts as logged."""
        with self._lock:
            before, moment = self._said.get(subject, ("", 0.0))
            now = self.clock()
            if before == words and now - moment < AGAIN_SECONDS:
                return False
            self._said[subject] = (words, now)
            return True

    def clear(self, subject: str) -> bool:
        """Forget a subject; whether anything had been logged of it."""
        with self._lock:
            return self._said.pop(subject, None) is not None
