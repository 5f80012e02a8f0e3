"""Artifacts of Perp v2's contracts and price feeds in its npm packages, and of Uniswap's pool factory."""

from __future__ import annotations

from eth_utils.abi import abi_to_signature, filter_abi_by_name

from keeper.localchain.artifacts import Artifact, package_artifact
from keeper.localchain.perp_v2_market import CurieBuild

_DEPLOYED = "@perp/curie-deployments/optimism/core/artifacts"
_BUILDS: dict[CurieBuild, str] = {
    "2.6.0": f"{_DEPLOYED}/contracts",
    "2.8.4": "@perp/curie-contract/artifacts/contracts",
}


def curie_artifact(build: CurieBuild, name: str) -> Artifact:
    """A contract of the exchange by its name."""
    return package_artifact(f"{_BUILDS[build]}/{name}.sol/{name}.json")


def curie_feed_artifact(name: str) -> Artifact:
    """A price feed between Chainlink and the exchange, by its name."""
    return package_artifact(f"{_DEPLOYED}/oracle-contracts/contracts/{name}.sol/{name}.json")


def pool_factory_artifact() -> Artifact:
    """Uniswap's factory, which creates the markets' pools."""
    return package_artifact("@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json")


def initializer(contract: Artifact) -> str:
    """Signature of `initialize`, which sets up a contract without constructor arguments."""
    (function,) = filter_abi_by_name("initialize", contract.abi)
    return abi_to_signature(function)
