"""Compile Synthetix v3 from its npm packages: the perps market, the spot market and the oracle manager.

The core and some of its dependencies are in no registry: `contracts/test/synthetix/` has stand-ins of ours,
which remappings put in their places. The compilations are separate because modules of the two markets share
names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from eth_typing import ABI, ABIElement
from eth_utils.abi import filter_abi_by_type, function_abi_to_4byte_selector

from keeper.localchain.artifacts import Artifact
from keeper.localchain.solc import Compilation, artifacts

PACKAGE = "node_modules/@synthetixio"
_STAND_INS = "test/synthetix"
_CORE_UTILS = "@synthetixio/core-contracts/contracts/utils"
_REMAPPINGS = (
    ("@synthetixio/main/contracts/", f"{_STAND_INS}/main"),
    ("@synthetixio/rewards-distributor/src/", f"{_STAND_INS}/main"),
    *(
        (f"{_CORE_UTILS}/{name}.sol", f"{_STAND_INS}/utils/{name}.sol")
        for name in ("ERC2771Context", "ForkDetector", "RevertUtil")
    ),
)
_PERPS = (
    "PerpsMarketFactoryModule",
    "PerpsAccountModule",
    "PerpsMarketModule",
    "AsyncOrderModule",
    "AsyncOrderSettlementPythModule",
    "AsyncOrderCancelModule",
    "LiquidationModule",
    "MarketConfigurationModule",
    "CollateralConfigurationModule",
    "GlobalPerpsMarketModule",
)
_SPOT = ("SpotMarketFactoryModule", "MarketConfigurationModule", "AtomicOrderModule")
_SHARED = ("CoreModule", "FeatureFlagModule", "AssociatedSystemsModule")


def _compilation(*roots: str) -> Compilation:
    return Compilation(roots, remappings=_REMAPPINGS, evm_version="paris", compiler="solc-0.8.24")


PERPS = _compilation(*(f"{PACKAGE}/perps-market/contracts/modules/{name}.sol" for name in _PERPS))
SPOT = _compilation(
    *(f"{PACKAGE}/spot-market/contracts/modules/{name}.sol" for name in _SPOT),
    f"{PACKAGE}/spot-market/contracts/modules/token/SynthTokenModule.sol",
)
CORE = _compilation(
    *(f"{PACKAGE}/core-modules/contracts/modules/{name}.sol" for name in _SHARED),
    f"{PACKAGE}/core-contracts/contracts/proxy/UUPSProxyWithOwner.sol",
    f"{PACKAGE}/oracle-manager/contracts/modules/NodeModule.sol",
    f"{PACKAGE}/perps-market/contracts/mocks/MockGasPriceNode.sol",
    *(f"{_STAND_INS}/core/{name}.sol" for name in ("AccountStandIns", "CoreStandIn", "OracleStandIns")),
    f"{_STAND_INS}/core/RouterStandIn.sol",
)


def perps_modules() -> list[Artifact]:
    """The modules to which the perps market's router forwards, accounts included."""
    own, shared = artifacts(PERPS), artifacts(CORE)
    return [
        *(own[name] for name in _PERPS),
        *(shared[name] for name in (*_SHARED, "AccountModuleStandIn")),
    ]


def spot_modules() -> list[Artifact]:
    """The modules to which the spot market's router forwards. Its factory has the associated systems."""
    own, shared = artifacts(SPOT), artifacts(CORE)
    return [*(own[name] for name in _SPOT), *(shared[name] for name in ("CoreModule", "FeatureFlagModule"))]


def oracle_modules() -> list[Artifact]:
    """The modules to which the oracle manager's router forwards."""
    return [artifacts(CORE)[name] for name in ("NodeModule", "CoreModule")]


def core_artifact(name: str) -> Artifact:
    """One contract of the core compilation by its name."""
    return artifacts(CORE)[name]


def synth_artifact() -> Artifact:
    """The implementation behind every synth's token."""
    return artifacts(SPOT)["SynthTokenModule"]


def selectors(module: Artifact) -> list[bytes]:
    """Selectors of a module's functions (4 bytes each)."""
    return [function_abi_to_4byte_selector(each) for each in filter_abi_by_type("function", module.abi)]


def merged_abi(modules: Iterable[Artifact]) -> ABI:
    """One ABI of all modules behind a router: every function, event and error once, in order of kind and
    name."""
    entries: dict[tuple[str, str, str], ABIElement] = {}
    for module in modules:
        for entry in module.abi:
            if entry["type"] in ("function", "event", "error"):
                inputs = str([each["type"] for each in entry.get("inputs", [])])
                entries.setdefault((entry["type"], str(entry.get("name")), inputs), entry)
    return [entry for _, entry in sorted(entries.items(), key=lambda each: each[0])]


@lru_cache(maxsize=1)
def error_names() -> Mapping[str, str]:
    """Names of all contracts' custom errors by selector (0x and 8 digits)."""
    everything = [*perps_modules(), *spot_modules(), *artifacts(CORE).values()]
    return MappingProxyType({code: name for each in everything for code, name in each.errors().items()})
