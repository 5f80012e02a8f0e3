"""Our stand-ins for price sources (`contracts/test/PriceStandIns.sol`), for tests and the demo."""

from __future__ import annotations

from functools import lru_cache

from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, compiled

SVR = "DualAggregator 1.0.0"


@lru_cache(maxsize=1)
def _all() -> dict[str, Artifact]:
    found = compiled(Compilation(("test/PriceStandIns.sol",)))
    return {name: each.artifact() for name, each in found.items() if each.code}


def create_feed(
    deployer: Deployer,
    answer: int,
    *,
    decimals: int = 8,
    version: str = "",
    description: str = "stand-in feed",
) -> str:
    """Queues a feed of which every word can be set; `version` SVR makes it an SVR aggregator."""
    return deployer.create(_all()["FeedStandIn"], decimals, answer, description, version)


def create_stable_cap(deployer: Deployer, feed: str, cap: int) -> str:
    return deployer.create(_all()["StableCapStandIn"], feed, cap)


def create_ratio(deployer: Deployer, ratio: int) -> str:
    """Queues what tells a staked token's ratio (18 decimals)."""
    return deployer.create(_all()["RatioStandIn"], ratio)


def create_ratio_cap(deployer: Deployer, feed: str, provider: str, cap: int) -> str:
    return deployer.create(_all()["RatioCapStandIn"], feed, provider, cap)


def create_synchronicity(deployer: Deployer, asset_to_peg: str, peg_to_base: str) -> str:
    return deployer.create(_all()["SynchronicityStandIn"], asset_to_peg, peg_to_base)


def create_fixed(deployer: Deployer, price: int) -> str:
    return deployer.create(_all()["FixedPriceStandIn"], price)


def create_scaling(deployer: Deployer, feed: str) -> str:
    """Queues Compound's feed that gives another's answer in other decimals."""
    return deployer.create(_all()["ScalingFeedStandIn"], feed)


def create_multiplicative(deployer: Deployer, one: str, other: str) -> str:
    """Queues Compound's feed that multiplies two."""
    return deployer.create(_all()["MultiplicativeFeedStandIn"], one, other)


def create_constant(deployer: Deployer, price: int) -> str:
    """Queues Compound's feed that never changes."""
    return deployer.create(_all()["ConstantFeedStandIn"], price)


def create_unknown(deployer: Deployer) -> str:
    """Queues a source of no published kind."""
    return deployer.create(_all()["UnknownSourceStandIn"])


def create_gho(deployer: Deployer) -> str:
    """Queues what answers as GHO's oracle on Aave v3 does."""
    return deployer.create(_all()["GhoOracleStandIn"])


def create_nameless(deployer: Deployer, feed: str) -> str:
    """Queues an adapter that does not name the feed it calls."""
    return deployer.create(_all()["NamelessAdapterStandIn"], feed)


def create_misleading(deployer: Deployer, feed: str, source: str) -> str:
    """Queues a feed that passes on another's rounds and calls something else its `source`."""
    return deployer.create(_all()["MisleadingStandIn"], feed, source)
