"""A budget of requests per second: a request beyond it waits for its turn."""

from __future__ import annotations

import threading
import time
from decimal import Decimal


class RequestBudget:
    """Lets `per_second` requests through per second, and as many at once after a quiet second."""

    def __init__(self, per_second: Decimal | None) -> None:
        self.per_second = float(per_second) if per_second is not None else None
        self._free_at = 0.0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait until one more request is within the budget."""
        if self.per_second is None:
            return
        with self._lock:
            now = time.monotonic()
            # The moment at which this request would be due were all of them evenly spaced.
            due = max(self._free_at, now - 1.0) + 1 / self.per_second
            self._free_at = due
        if due > now:
            time.sleep(due - now)
