"""The errors a caller treats differently. Every message says what, where and what to do."""

from __future__ import annotations

from typing import Self

_WRITABLE = "Name a file in a folder that exists and may be written"


class KeeperError(Exception):
    """Base of all errors the keeper raises on purpose.

    `where` names the place (a file and key, a node, a market), `remedy` the next step.
    `exit_code` is what a command ends with: 2 wrong usage or configuration, 3 could not reach something.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.remedy}" if self.remedy else text


class ConfigError(KeeperError):
    """The configuration, the keystore or the command line is wrong."""

    exit_code = 2

    @classmethod
    def unwritable(cls, path: object, error: OSError, remedy: str = _WRITABLE) -> Self:
        """Of a file that cannot be written, as the system says it."""
        return cls(f"cannot be written: {error.strerror}", where=str(path), remedy=remedy)


class UnreachableError(KeeperError):
    """Something outside (node, database, executable) did not answer."""

    exit_code = 3


class MarginError(KeeperError):
    """A margin model was given something it cannot value; `field` names the offending input."""

    exit_code = 2

    def __init__(self, what: str, *, field: str, remedy: str = "") -> None:
        super().__init__(what, where=field, remedy=remedy)
        self.field = field
