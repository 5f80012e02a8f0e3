"""A line of the examination, and how an error becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from keeper.errors import KeeperError

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def attempt(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one part; an error the keeper knows becomes its fault."""
    try:
        yield from look()
    except KeeperError as error:
        where = f"{error.where}: " if error.where else ""
        yield Finding(subject, "fault", where + error.what, error.remedy)
