"""Paths of the development packages of `contracts/`: protocols, the compiler and Anvil."""

from __future__ import annotations

from pathlib import Path

from keeper.errors import UnreachableError

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACTS = REPOSITORY / "contracts"
NODE_MODULES = CONTRACTS / "node_modules"
INSTALL = "Run `make setup` in the keeper's repository to install it"


def package_path(relative: str) -> Path:
    """Path of a file or folder inside `contracts/node_modules`; UnreachableError when it is not installed."""
    path = NODE_MODULES / relative
    if not path.exists():
        raise UnreachableError(
            "the local chain needs this npm package, which is not installed",
            where=f"contracts/node_modules/{relative}",
            remedy=INSTALL,
        )
    return path
