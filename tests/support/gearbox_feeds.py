"""Gearbox's own price feeds from their npm package: adapters whose round id is always 0."""

from __future__ import annotations

from functools import lru_cache

from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.tokens import PRICE_STANDINS

_ORACLES = "node_modules/@gearbox-protocol/oracles-v3/contracts/oracles"
# Gearbox builds on OpenZeppelin 4.
_REMAPPINGS = (
    ("@gearbox-protocol/", "node_modules/@gearbox-protocol/"),
    ("@openzeppelin/contracts/", "node_modules/openzeppelin-4/"),
    ("@solady/utils/", "node_modules/solady/src/utils/"),
)
_FILES = (
    "CompositePriceFeed",
    "BoundedPriceFeed",
    "ConstantPriceFeed",
    "pendle/PendleTWAPPTPriceFeed",
    "lido/WstETHPriceFeed",
)
# How old an adapter lets its inputs become.
_STALE = 2**31


@lru_cache(maxsize=1)
def _all() -> dict[str, Artifact]:
    roots = tuple(f"{_ORACLES}/{name}.sol" for name in _FILES)
    beside = artifacts(PRICE_STANDINS)
    return {**beside, **artifacts(Compilation(roots, remappings=_REMAPPINGS))}


def create_composite(deployer: Deployer, in_base: str, base: str) -> str:
    """Queue target in base times base in dollars."""
    params = ((in_base, _STALE), (base, _STALE))
    return deployer.create(_all()["CompositePriceFeed"], params, "A")


def create_bounded(deployer: Deployer, feed: str, most: int) -> str:
    return deployer.create(_all()["BoundedPriceFeed"], feed, _STALE, most, "A")


def create_constant(deployer: Deployer, price: int) -> str:
    return deployer.create(_all()["ConstantPriceFeed"], price, "A")


def create_principal(deployer: Deployer, feed: str) -> tuple[str, str]:
    """Queue a PT's feed, and what stands in for its Pendle market: (feed, market)."""
    market = deployer.create(_all()["PendleStandIn"])
    return deployer.create(_all()["PendleTWAPPTPriceFeed"], market, feed, _STALE, 900, False), market


def create_staked(deployer: Deployer, feed: str) -> tuple[str, str]:
    """Queue wstETH's feed over one of what is staked, and what stands in for wstETH: (feed, token)."""
    token = deployer.create(_all()["WrappedStandIn"])
    owner = "0x" + "11" * 20
    return deployer.create(_all()["WstETHPriceFeed"], owner, 99 * 10**16, token, feed, _STALE), token
