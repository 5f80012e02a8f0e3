"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
