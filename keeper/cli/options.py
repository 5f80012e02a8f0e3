"""Options that several commands take, and their values parsed."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from keeper.errors import ConfigError

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
DEFAULT_CONFIG = Path("keeper.toml")
KeystoreOption = Annotated[Path, typer.Option("--keystore", help="The keystore's file.")]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file", help="File with the password; else KEEPER_KEYSTORE_PASSWORD, else asked."
    ),
]
DEFAULT_KEYSTORE = Path("keystore.json")


def decimal(text: str, flag: str) -> Decimal:
    """A finite decimal number; ConfigError names the flag."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ConfigError(f"{text[:40]!r} is not a number", where=flag, remedy="Write it like 1.05")
    return value
