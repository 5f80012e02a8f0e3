"""Price feeds and tokens that need no protocol: Chainlink's MockV3Aggregator and a USDT-like token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from keeper.localchain.aave_market import ReserveSpec
from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, compiled

FEED_DECIMALS = 8
NONE: Mapping[str, str] = MappingProxyType({})
"""No tokens or feeds by symbol that would be there already."""
_FEED = "@chainlink/contracts/src/v0.8/tests/MockV3Aggregator.sol"


@lru_cache(maxsize=1)
def feed_artifact() -> Artifact:
    """Chainlink's own test aggregator: `updateAnswer` sets the price, all reading functions are real."""
    sources = Compilation((f"node_modules/{_FEED}",))
    return compiled(sources)["MockV3Aggregator"].artifact()


@lru_cache(maxsize=1)
def zero_first_artifact() -> Artifact:
    """Our token that refuses to change a nonzero allowance and returns nothing, as USDT does."""
    return compiled(Compilation(("test/ZeroFirstToken.sol",)))["ZeroFirstToken"].artifact()


def create_feed(deployer: Deployer, price: int) -> str:
    """Queues a feed with this first answer (8 decimals); returns its address."""
    return deployer.create(feed_artifact(), FEED_DECIMALS, price)


def create_zero_first(deployer: Deployer, name: str, symbol: str, decimals: int) -> str:
    """Queues a ZeroFirstToken; returns its address. Anyone may `mint(address,uint256)`."""
    return deployer.create(zero_first_artifact(), name, symbol, decimals)


def create_token(deployer: Deployer, spec: ReserveSpec, standard: Artifact, *more: object) -> str:
    """Queues the token of a reserve. `standard` takes `more` after name, symbol, decimals."""
    if spec.kind == "zero_first":
        return create_zero_first(deployer, spec.symbol, spec.symbol, spec.decimals)
    return deployer.create(standard, spec.symbol, spec.symbol, spec.decimals, *more)
