"""Our own contracts: what they compile to, and the committed artifacts in `abis/`."""

from __future__ import annotations

import json
from pathlib import Path

from keeper.localchain.packages import REPOSITORY
from keeper.localchain.rpc import Json
from keeper.localchain.solc import Compilation, compiled, compiler_version, standard_json

ABIS = REPOSITORY / "abis"
CONTRACTS = (
    "Batch",
    "BatchOnce",
    "Rehearsal",
    "AaveV3Lens",
    "CometLens",
    "MorphoBlueLens",
    "TroveLens",
    "OwnerTopUp",
    "ShockedFeed",
    "Liquidator",
    "UniswapV3Lens",
)
"""Contracts in `contracts/src/<name>.sol` that the keeper needs at run time."""


def compilation(name: str) -> Compilation:
    """How one of our contracts is compiled: for the oldest EVM in use, and the same bytes everywhere."""
    return Compilation((f"src/{name}.sol",), runs=10_000, evm_version="paris", reproducible_metadata=True)


def artifact_path(name: str) -> Path:
    """Where the committed artifact of a contract is."""
    return ABIS / f"{name}.json"


def artifact_text(name: str) -> str:
    """The artifact as it is committed: contract, compiler, settings, abi, bytecode, deployedBytecode."""
    how = compilation(name)
    contract = compiled(how)[name]
    content: dict[str, Json] = {
        "contract": name,
        "compiler": f"solc {compiler_version()}",
        "settings": standard_json(how)["settings"],
        "abi": contract.abi,
        "bytecode": "0x" + contract.code,
        "deployedBytecode": "0x" + contract.runtime,
    }
    return json.dumps(content, indent=1) + "\n"
