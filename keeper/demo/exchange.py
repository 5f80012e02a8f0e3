"""The exchange beside the market: real Uniswap v3 pools, which arbitrage keeps at the oracle's prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.liquidator import demo_pools, deploy_liquidator, tokens_of
from keeper.localchain.transactions import queue
from keeper.localchain.uniswap_v3 import PoolSpec, UniswapDeployment


@dataclass(frozen=True)
class DemoExchange:
    """The exchange where the keeper sells what it seized, and our contract, through which it sells."""

    uniswap: UniswapDeployment
    pools: Sequence[PoolSpec]
    liquidator: str

    def follow(self, anvil: Anvil, market: AaveDeployment, prices: Mapping[str, int]) -> None:
        """Queue, behind the keeper's own transactions, the trades that bring the pools to these prices."""
        tokens = tokens_of(market, prices)
        for spec in self.pools:
            for tx in uniswap.move(anvil.rpc, self.uniswap, spec, tokens):
                queue(anvil, tx, last=True)


def open_exchange(
    anvil: Anvil, market: AaveDeployment, prices: Mapping[str, int], keeper: str
) -> DemoExchange:
    pools = demo_pools()
    deployed = uniswap.deploy(anvil.rpc, tokens_of(market, prices), pools)
    return DemoExchange(deployed, pools, deploy_liquidator(anvil.rpc, keeper, keeper))


def settings(exchange: DemoExchange, market: AaveDeployment) -> tuple[str, str]:
    """The exchange's configuration: lines below [chains.local], and a table of its own."""
    hops = ", ".join(f'"{market.reserves[symbol].asset}"' for symbol in ("WETH", "USDC"))
    return (
        f'liquidator = "{exchange.liquidator}"\n',
        f'[chains.local.venues.uniswap_v3]\nfactory = "{exchange.uniswap.factory}"\nhops = [{hops}]\n',
    )
