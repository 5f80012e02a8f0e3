"""What a pool knows about one node: its head, its speed of answering and its recent faults."""

from __future__ import annotations

import time

# Faults count half after so many seconds.
FAULT_HALF_LIFE = 60.0
# One that gave no answer for so many seconds is silent.
LONG = 1.0
# A node may be behind now and then; so often in a row it is a fault.
OFTEN_BEHIND = 3


class NodeHealth:
    """What a pool knows about one node: its head, its speed of answering and its recent faults."""

    def __init__(self) -> None:
        self.head = 0
        self.latency = 0.0
        self.answers = 0
        self._faults = 0.0
        self._faulted_at = 0.0
        self._behind = 0
        self.is_silent = False
        """Whether it gave no answer for long when last asked."""
        self.excluded = ""

    @property
    def faults(self) -> float:
        """Recent faults; each counts half after a minute."""
        gone = time.monotonic() - self._faulted_at
        return float(self._faults * 0.5 ** (gone / FAULT_HALF_LIFE))

    def failed(self, weight: float = 1.0, seconds: float = 0.0) -> None:
        """Count a fault; `seconds` is how long the answer was waited for."""
        self.is_silent = seconds > LONG
        self._faults = self.faults + weight
        self._faulted_at = time.monotonic()

    def was_behind(self) -> None:
        self._behind += 1
        if self._behind >= OFTEN_BEHIND:
            self._behind = 0
            self.failed()

    def answered(self, seconds: float) -> None:
        self._behind, self.is_silent = 0, False
        share = 1 / min(self.answers + 1, 50)
        self.latency += (seconds - self.latency) * share
        self.answers += 1
