"""Our Liquidator on a local chain, deployed without a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.uniswap_v3 import PoolSpec, Token


def deploy_liquidator(rpc: LocalRpc, owner: str, operator: str) -> str:
    """Deploy our Liquidator and return its address. `owner` gets the profit, `operator` may call it."""
    queue = Deployer(rpc, ACCOUNTS[0])
    address = queue.create(own_artifact("Liquidator"), owner, operator)
    queue.flush()
    return address


def tokens_of(market: AaveDeployment, prices: Mapping[str, int]) -> dict[str, Token]:
    """A market's assets as tokens of exchanges, at these prices (8 decimals, by symbol)."""
    return {
        symbol: Token(reserve.asset.lower(), reserve.decimals, prices[symbol])
        for symbol, reserve in market.reserves.items()
    }


def demo_pools(dollars: int = 4_000_000) -> Sequence[PoolSpec]:
    """Pools for the assets of `demo_market` with depths like mainnet's; none where mainnet has none."""
    return (
        PoolSpec("WETH", "USDC", 500, dollars, 9_000),
        PoolSpec("WETH", "USDC", 3000, dollars // 2),
        PoolSpec("WETH", "DAI", 3000, dollars // 4),
        PoolSpec("WBTC", "WETH", 3000, dollars, 9_000),
        PoolSpec("WBTC", "USDC", 3000, dollars // 4),
        PoolSpec("USDC", "DAI", 100, dollars, 50),
        PoolSpec("wstETH", "WETH", 100, dollars, 1_500),
    )
