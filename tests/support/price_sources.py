"""Price sources of the kind that change: Pyth behind Chainlink's interface, and a proxy's next aggregator."""

from __future__ import annotations

from eth_abi.abi import encode

from keeper.localchain.calldata import calldata
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.transactions import Tx

_PYTH = Compilation(
    tuple(
        f"node_modules/@pythnetwork/pyth-sdk-solidity/{name}.sol" for name in ("MockPyth", "PythAggregatorV3")
    )
)
PRICE_ID = bytes.fromhex("ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace")
"""The id that Pyth publishes ETH/USD under."""
_FEED = "(bytes32,(int64,uint64,int32,uint256),(int64,uint64,int32,uint256))"


def change_aggregator(sender: str, proxy: str, aggregator: str) -> list[Tx]:
    """What the proxy's owner sends to put another aggregator behind it."""
    return [
        {"from": sender, "to": proxy, "data": calldata(f"{step}(address)", aggregator)}
        for step in ("proposeAggregator", "confirmAggregator")
    ]


def create_pyth(deployer: Deployer) -> tuple[str, str]:
    """Queue Pyth's own test contract and PythAggregatorV3 over its PRICE_ID: (aggregator, pyth)."""
    pyth = deployer.create(artifacts(_PYTH)["MockPyth"], 60, 0)
    return deployer.create(artifacts(_PYTH)["PythAggregatorV3"], pyth, PRICE_ID), pyth


def pyth_feed(price: int, exponent: int, published: int, confidence: int = 0) -> bytes:
    """What `updatePriceFeeds(bytes[])` takes: price, its 68 % interval in the same exponent, publish time."""
    said = (price, confidence, exponent, published)
    return encode([_FEED], [(PRICE_ID, said, said)])
