"""Artifacts of Lyra Avalon's contracts in its npm package, and of the package's test double of Synthetix
v2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from eth_utils.abi import abi_to_signature, filter_abi_by_name

from keeper.localchain.artifacts import Artifact, package_artifact

_CONTRACTS = "@lyrafinance/protocol/dist/artifacts/contracts"
_THROWERS = (
    "OptionMarket",
    "OptionToken",
    "OptionGreekCache",
    "OptionMarketPricer",
    "ShortCollateral",
    "LiquidityPool",
    "ShortPoolHedger",
    "SynthetixAdapter",
)


def avalon_artifact(name: str) -> Artifact:
    """A contract of the exchange by its name."""
    return package_artifact(f"{_CONTRACTS}/{name}.sol/{name}.json")


def avalon_library(name: str) -> Artifact:
    """A library of the exchange by its name."""
    return package_artifact(f"{_CONTRACTS}/libraries/{name}.sol/{name}.json")


def synthetix_double(name: str) -> Artifact:
    """The package's test double of a contract of Synthetix v2, by the contract's name."""
    return package_artifact(f"{_CONTRACTS}/test-helpers/Test{name}.sol/Test{name}.json")


def signature_of(contract: Artifact, function: str) -> str:
    """A function's signature, its structures as tuples."""
    (each,) = filter_abi_by_name(function, contract.abi)
    return abi_to_signature(each)


@lru_cache(maxsize=1)
def avalon_errors() -> Mapping[str, str]:
    """Names of the exchange's custom errors by selector (0x and 8 digits)."""
    return MappingProxyType(
        {selector: name for each in _THROWERS for selector, name in avalon_artifact(each).errors().items()}
    )
