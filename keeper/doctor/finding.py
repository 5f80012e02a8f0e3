"""How an error becomes a line of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from keeper.errors import KeeperError
from keeper.model.finding import Finding


def attempt(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one part; an error the keeper knows becomes its fault."""
    try:
        yield from look()
    except KeeperError as error:
        where = f"{error.where}: " if error.where else ""
        yield Finding(subject, "fault", where + error.what, error.remedy)
