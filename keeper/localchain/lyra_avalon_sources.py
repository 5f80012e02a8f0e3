"""Finds Lyra Avalon's compiled contracts in its npm package, and beside them the package's own test double of
Synthetix v2."""

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
    """One of the exchange's own contracts."""
    return package_artifact(f"{_CONTRACTS}/{name}.sol/{name}.json")


def avalon_library(name: str) -> Artifact:
    """A library that others are linked with."""
    return package_artifact(f"{_CONTRACTS}/libraries/{name}.sol/{name}.json")


def synthetix_double(name: str) -> Artifact:
    """The package's own test double of a contract of Synthetix v2."""
    return package_artifact(f"{_CONTRACTS}/test-helpers/Test{name}.sol/Test{name}.json")


def signature_of(contract: Artifact, function: str) -> str:
    """A function's signature, its structures as tuples."""
    (each,) = filter_abi_by_name(function, contract.abi)
    return abi_to_signature(each)


@lru_cache(maxsize=1)
def avalon_errors() -> Mapping[str, str]:
    """Names of the exchange's custom errors by selector."""
    return MappingProxyType(
        {selector: name for each in _THROWERS for selector, name in avalon_artifact(each).errors().items()}
    )
