"""Our own contracts as committed in `abis/`: interface and bytecode."""

from __future__ import annotations

import json
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

from keeper.errors import ConfigError

_HERE = Path(__file__).resolve()
# Beside the package in a checkout; where an installed wheel puts it, below the environment's root, elsewhere.
_PLACES = (
    _HERE.parent.parent / "abis",
    *(parent / "share/keeper/abis" for parent in _HERE.parents[2:5]),
    Path(sysconfig.get_path("data")) / "share/keeper/abis",
)
ABIS = next((place for place in _PLACES if (place / "Batch.json").exists()), _PLACES[0])


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
