"""Why nothing can be done now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why nothing can be done now; told once an episode. `retry_at` is the Unix time from which it can be
    tried again, where it is known: for a block at that second or later it is planned anew."""

    reason: str
    retry_at: int | None = None
