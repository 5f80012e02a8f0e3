"""Compiles what `abis/` holds: our own contracts, and interfaces of others (`make abis`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from keeper.localchain.artifacts import Artifact
from keeper.localchain.packages import REPOSITORY
from keeper.localchain.solc import Compilation, compiled, compiler_version, standard_json
from keeper.localchain.synthetix_v3_sources import (
    merged_abi,
    oracle_modules,
    perps_modules,
    spot_modules,
)

ABIS = REPOSITORY / "abis"
CONTRACTS = (
    "Batch",
    "BatchOnce",
    "Rehearsal",
    "AaveV3Lens",
    "CometLens",
    "MorphoBlueLens",
    "TroveLens",
    "SynthetixV3Lens",
    "PerpV2Lens",
    "PerpV2Growth",
    "PerpV2Ticks",
    "AvalonLens",
    "OwnerTopUp",
    "SynthetixGrant",
    "AvalonGrant",
    "CurieGrant",
    "PerpTakeover",
    "ShockedFeed",
    "Liquidator",
    "PriceCarrier",
    "UniswapV3Lens",
    "ClearinghouseLens",
)
"""Contracts in `contracts/src/<name>.sol` that the keeper needs at run time."""
CLEARINGHOUSE = tuple(
    f"clearinghouse/{name}"
    for name in (
        "Attestation",
        "Clearinghouse",
        "Deleveraging",
        "Margin",
        "Markets",
        "Moments",
        "Options",
        "Orders",
        "Scenarios",
        "Valuation",
    )
)
"""The contracts of our own clearinghouse, in a folder of their own in `contracts/src/` and in `abis/`."""
SMALL = frozenset({"clearinghouse/Attestation", "clearinghouse/Clearinghouse"})
"""Contracts compiled for size: EIP-170 allows 24,576 bytes."""
_REMAPPINGS = (("@openzeppelin/", "node_modules/@openzeppelin/"), ("solady/", "node_modules/solady/"))
INTERFACES = {
    "ERC20": ("@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol", "IERC20Metadata"),
    "PriceFeed": (
        "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol",
        "AggregatorV3Interface",
    ),
    "AaveV3Pool": ("src/IAaveV3.sol", "IPool"),
    "AaveV3AddressesProvider": ("src/IAaveV3.sol", "IAddressesProvider"),
    "AaveV3Sentinel": ("src/IAaveV3.sol", "ISentinel"),
}
"""Interfaces that are called: the source, of ours or in a package, and the name it has there."""
ROUTED: dict[str, tuple[str, Callable[[], Sequence[Artifact]]]] = {
    "SynthetixV3PerpsMarket": ("@synthetixio/perps-market", perps_modules),
    "SynthetixV3SpotMarket": ("@synthetixio/spot-market", spot_modules),
    "SynthetixV3OracleManager": ("@synthetixio/oracle-manager", oracle_modules),
}
"""Systems of many modules behind one address: the package, and the modules whose interfaces are one there."""


def compilation(name: str) -> Compilation:
    """How one of our contracts is compiled: for the oldest EVM in use, and the same bytes everywhere."""
    is_small = name in SMALL
    others = _REMAPPINGS if "learinghouse" in name else ()
    return Compilation(
        (f"src/{name}.sol",),
        others,
        runs=200 if is_small else 10_000,
        via_ir=is_small,
        evm_version="paris",
        reproducible_metadata=True,
    )


def artifact_path(name: str) -> Path:
    """Where the committed artifact of a contract is."""
    return ABIS / f"{name}.json"


def interface_text(name: str) -> str:
    """An interface as it is committed: contract, source, abi."""
    source, contract = INTERFACES[name]
    root = f"node_modules/{source}" if source.startswith("@") else source
    content = {"contract": contract, "source": source, "abi": compiled(Compilation((root,)))[contract].abi}
    return json.dumps(content, indent=1) + "\n"


def routed_text(name: str) -> str:
    """The interface of many modules as it is committed: modules, source, abi."""
    package, find = ROUTED[name]
    modules = find()
    content = {"modules": [each.name for each in modules], "source": package, "abi": merged_abi(modules)}
    return json.dumps(content, indent=1) + "\n"


def artifact_text(name: str) -> str:
    """The artifact as it is committed: contract, compiler, settings, abi, bytecode, deployedBytecode; of an
    interface its ABI only."""
    if name in INTERFACES:
        return interface_text(name)
    if name in ROUTED:
        return routed_text(name)
    how = compilation(name)
    short = name.rpartition("/")[2]
    contract = compiled(how)[short]
    content: dict[str, object] = {
        "contract": short,
        "compiler": f"solc {compiler_version()}",
        "settings": standard_json(how)["settings"],
        "abi": contract.abi,
        "bytecode": "0x" + contract.code,
        "deployedBytecode": "0x" + contract.runtime,
    }
    return json.dumps(content, indent=1) + "\n"


def main() -> None:
    """Write one artifact for each contract and interface, and say how large it is."""
    for name in (*CONTRACTS, *CLEARINGHOUSE, *INTERFACES, *ROUTED):
        text = artifact_text(name)
        artifact_path(name).parent.mkdir(exist_ok=True)
        artifact_path(name).write_text(text)
        print(f"{artifact_path(name).name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
