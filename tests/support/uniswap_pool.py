"""Real Uniswap v3 pools that only keep a price: what a mean over a window is read from."""

from __future__ import annotations

from keeper.localchain.artifacts import package_artifact
from keeper.localchain.calldata import view_address
from keeper.localchain.deployer import Deployer

_CORE = "@uniswap/v3-core/artifacts/contracts"
FEE = 3000
MIN_TICK_PRICE = 1.0001


def create_factory(deployer: Deployer) -> str:
    return deployer.create(package_artifact(f"{_CORE}/UniswapV3Factory.sol/UniswapV3Factory.json"))


def open_pool(deployer: Deployer, factory: str, first: str, second: str, tick: int) -> str:
    """A pool of two tokens (any order), initialised at a price within `tick` of the lower-address token."""
    deployer.call(factory, "createPool(address,address,uint24)", first, second, FEE)
    deployer.flush()
    arguments = ("getPool(address,address,uint24)", first, second, FEE)
    pool = view_address(deployer.rpc, factory, *arguments)
    # The middle of the tick, so that rounding of the float cannot leave it.
    deployer.call(pool, "initialize(uint160)", int(MIN_TICK_PRICE ** ((tick + 0.5) / 2) * 2**96))
    deployer.flush()
    return pool
