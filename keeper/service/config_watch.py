"""Watches the configuration file while the daemon runs: changes are reported, and apply only after a restart.

Thresholds and limits that changed under a running keeper would surprise its operator; so would a keeper that
ended because a file was half saved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from keeper.errors import ConfigError
from keeper.protocols.registry import load


@dataclass(slots=True)
class ConfigWatch:
    """The file's digest when the daemon started, and the digest last reported."""

    path: Path
    digest: str
    told: str

    @classmethod
    def of(cls, path: Path) -> ConfigWatch:
        """Watch `path` from now on."""
        now = _digest(path)
        return cls(path, now, now)

    def look(self) -> tuple[str, str] | None:
        """(digest, words) when the file has changed since last reported; None otherwise."""
        now = _digest(self.path)
        if now == self.told:
            return None
        self.told = now
        if now == self.digest:
            return now, "is again what this daemon runs with"
        try:
            load(self.path)
        except ConfigError as error:
            return now, (
                f"changed and is not usable: {error.what}. The daemon goes on with what it started with; "
                "correct the file before a restart"
            )
        return now, "changed. The daemon goes on with what it started with; restart it to apply the change"


def _digest(path: Path) -> str:
    """A name of the content; one of its own for a file that cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        return f"unreadable: {error.strerror}"
