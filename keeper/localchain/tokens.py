"""Price feeds and tokens that need no protocol: Chainlink's aggregator and proxy, a USDT-like token."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.aave_market import ReserveSpec
from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, artifacts

FEED_DECIMALS = 8
NONE: Mapping[str, str] = MappingProxyType({})
"""No existing tokens or feeds."""
_FEED = Compilation(("node_modules/@chainlink/contracts/src/v0.8/tests/MockV3Aggregator.sol",))
# The compiler that Chainlink's proxies were published with knows no later EVM.
_PROXY = Compilation(
    ("node_modules/chainlink-proxy/src/v0.6/EACAggregatorProxy.sol",),
    evm_version="istanbul",
    compiler="solc-0.6.6",
)
_ZERO_FIRST = Compilation(("test/ZeroFirstToken.sol",))
PRICE_STANDINS = Compilation(("test/PriceStandIns.sol",))
"""Stand-ins of ours for price sources."""


def create_feed(deployer: Deployer, price: int) -> str:
    """Queue Chainlink's own test aggregator with this first answer (8 decimals); its address.

    `updateAnswer` sets the price; all view functions are Chainlink's.
    """
    return deployer.create(artifacts(_FEED)["MockV3Aggregator"], FEED_DECIMALS, price)


def create_proxy(deployer: Deployer, aggregator: str) -> str:
    """Queue Chainlink's EACAggregatorProxy in front of an aggregator, open to every reader; its address."""
    return deployer.create(artifacts(_PROXY)["EACAggregatorProxy"], aggregator, ZERO_ADDRESS)


def create_zero_first(deployer: Deployer, name: str, symbol: str, decimals: int) -> str:
    """Queue a ZeroFirstToken, which returns nothing and refuses to change one nonzero allowance to another,
    as USDT does; its address. Anyone may `mint(address,uint256)`."""
    return deployer.create(artifacts(_ZERO_FIRST)["ZeroFirstToken"], name, symbol, decimals)


def create_token(deployer: Deployer, spec: ReserveSpec, standard: Artifact, *more: object) -> str:
    """Queue the token of a reserve; its address. `standard` takes `more` after name, symbol, decimals."""
    if spec.kind == "zero_first":
        return create_zero_first(deployer, spec.symbol, spec.symbol, spec.decimals)
    return deployer.create(standard, spec.symbol, spec.symbol, spec.decimals, *more)
