"""One finding of `keeper doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A part that was checked, its condition, and what to do about it."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""

    @classmethod
    def ok(cls, subject: str, detail: str) -> Finding:
        return cls(subject, "ok", detail)

    @classmethod
    def warning(cls, subject: str, detail: str, remedy: str) -> Finding:
        return cls(subject, "warning", detail, remedy)

    @classmethod
    def fault(cls, subject: str, detail: str, remedy: str) -> Finding:
        return cls(subject, "fault", detail, remedy)
