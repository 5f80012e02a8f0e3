"""Real price sources from their own packages: Chainlink's proxy, and Pyth behind Chainlink's interface."""

from __future__ import annotations

from functools import lru_cache

from eth_abi.abi import encode

from keeper.localchain.artifacts import Artifact
from keeper.localchain.calldata import calldata
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, compiled
from keeper.localchain.transactions import Tx

_PROXY = "chainlink-proxy/src/v0.6/EACAggregatorProxy.sol"
_PYTH = "@pythnetwork/pyth-sdk-solidity"
# The compiler that Chainlink's proxies were published with knows no later EVM.
_PROXY_COMPILER, _PROXY_EVM = "solc-0.6.6", "istanbul"
NOBODY = "0x" + "00" * 20
PRICE_ID = bytes.fromhex("ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace")
"""The id that Pyth publishes ETH/USD under."""
_FEED = "(bytes32,(int64,uint64,int32,uint256),(int64,uint64,int32,uint256))"


@lru_cache(maxsize=1)
def _proxy() -> Artifact:
    sources = Compilation((f"node_modules/{_PROXY}",), evm_version=_PROXY_EVM, compiler=_PROXY_COMPILER)
    return compiled(sources)["EACAggregatorProxy"].artifact()


@lru_cache(maxsize=1)
def _pyth() -> dict[str, Artifact]:
    files = tuple(f"node_modules/{_PYTH}/{name}.sol" for name in ("MockPyth", "PythAggregatorV3"))
    return {name: each.artifact() for name, each in compiled(Compilation(files)).items() if each.code}


def create_proxy(deployer: Deployer, aggregator: str) -> str:
    """Queues Chainlink's EACAggregatorProxy before an aggregator, open to every reader."""
    return deployer.create(_proxy(), aggregator, NOBODY)


def change_aggregator(sender: str, proxy: str, aggregator: str) -> list[Tx]:
    """What the proxy's owner sends to put another aggregator behind it."""
    return [
        {"from": sender, "to": proxy, "data": calldata(f"{step}(address)", aggregator)}
        for step in ("proposeAggregator", "confirmAggregator")
    ]


def create_pyth(deployer: Deployer) -> tuple[str, str]:
    """Queues Pyth's own test contract and PythAggregatorV3 over its PRICE_ID: (aggregator, pyth)."""
    pyth = deployer.create(_pyth()["MockPyth"], 60, 0)
    return deployer.create(_pyth()["PythAggregatorV3"], pyth, PRICE_ID), pyth


def pyth_feed(price: int, exponent: int, published: int, confidence: int = 0) -> bytes:
    """What `updatePriceFeeds(bytes[])` takes: price, its 68 % interval in the same exponent, publish time."""
    said = (price, confidence, exponent, published)
    return encode([_FEED], [(PRICE_ID, said, said)])
