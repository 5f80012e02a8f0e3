"""Our stand-ins for price sources (`contracts/test/PriceStandIns.sol`), each queued by a deployer."""

from __future__ import annotations

from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import artifacts
from keeper.localchain.tokens import PRICE_STANDINS

SVR = "DualAggregator 1.0.0"


def _standin(deployer: Deployer, name: str, *arguments: object) -> str:
    return deployer.create(artifacts(PRICE_STANDINS)[name], *arguments)


def create_feed(
    deployer: Deployer,
    answer: int,
    *,
    decimals: int = 8,
    version: str = "",
    description: str = "stand-in feed",
) -> str:
    """Queue a feed of which every word can be set; `version` SVR makes it an SVR aggregator."""
    return _standin(deployer, "FeedStandIn", decimals, answer, description, version)


def create_stable_cap(deployer: Deployer, feed: str, cap: int) -> str:
    return _standin(deployer, "StableCapStandIn", feed, cap)


def create_ratio(deployer: Deployer, ratio: int) -> str:
    """Queue what tells a staked token's ratio (18 decimals)."""
    return _standin(deployer, "RatioStandIn", ratio)


def create_ratio_cap(deployer: Deployer, feed: str, provider: str, cap: int) -> str:
    return _standin(deployer, "RatioCapStandIn", feed, provider, cap)


def create_synchronicity(deployer: Deployer, asset_to_peg: str, peg_to_base: str) -> str:
    return _standin(deployer, "SynchronicityStandIn", asset_to_peg, peg_to_base)


def create_fixed(deployer: Deployer, price: int) -> str:
    return _standin(deployer, "FixedPriceStandIn", price)


def create_scaling(deployer: Deployer, feed: str) -> str:
    """Queue Compound's feed that gives another's answer in other decimals."""
    return _standin(deployer, "ScalingFeedStandIn", feed)


def create_multiplicative(deployer: Deployer, one: str, other: str) -> str:
    """Queue Compound's feed that multiplies two."""
    return _standin(deployer, "MultiplicativeFeedStandIn", one, other)


def create_constant(deployer: Deployer, price: int) -> str:
    """Queue Compound's feed that never changes."""
    return _standin(deployer, "ConstantFeedStandIn", price)


def create_unknown(deployer: Deployer) -> str:
    """Queue a source of no published kind."""
    return _standin(deployer, "UnknownSourceStandIn")


def create_gho(deployer: Deployer) -> str:
    """Queue what answers as GHO's oracle on Aave v3 does."""
    return _standin(deployer, "GhoOracleStandIn")


def create_nameless(deployer: Deployer, feed: str) -> str:
    """Queue an adapter that does not name the feed it calls."""
    return _standin(deployer, "NamelessAdapterStandIn", feed)


def create_misleading(deployer: Deployer, feed: str, source: str) -> str:
    """Queue a feed that passes on another's rounds and calls something else its `source`."""
    return _standin(deployer, "MisleadingStandIn", feed, source)
