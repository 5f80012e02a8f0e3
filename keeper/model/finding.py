"""One line of what `keeper doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A part that was looked at, how it is, and what to do about it."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""
