"""Our own contracts as committed in `abis/`: interface and bytecode."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from keeper.errors import ConfigError

ABIS = Path(__file__).resolve().parent.parent / "abis"


@cache
def artifact(name: str) -> dict[str, Any]:
    """The artifact of one of our contracts; ConfigError when the installation lacks it."""
    path = ABIS / f"{name}.json"
    try:
        loaded: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(
            "is missing", where=str(path), remedy="Reinstall, or compile it with `make abis`"
        ) from None
    return loaded


def runtime_code(name: str) -> str:
    """Runtime bytecode as 0x hex."""
    return str(artifact(name)["deployedBytecode"])
