"""A market with real Uniswap pools and our contract, for the keeper that works with borrowed money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_account import Account

from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.liquidator import demo_pools, deploy_liquidator, tokens_of
from keeper.localchain.transactions import send_batch
from keeper.localchain.uniswap_v3 import PoolSpec, UniswapDeployment
from tests.support.keeping import KEY

PRICES = {"WETH": 2500_00000000, "WBTC": 60000_00000000, "USDC": 1_00000000, "DAI": 1_00000000}
PRICES["wstETH"] = 2920_00000000
PAYER = str(Account.from_key(KEY).address)


@dataclass
class Selling:
    """The exchange beside a market; `follow` moves its pools to new prices, as arbitrage does."""

    anvil: Anvil
    market: AaveDeployment
    uniswap: UniswapDeployment
    pools: Sequence[PoolSpec]
    liquidator: str

    def follow(self, prices: dict[str, int]) -> None:
        tokens = tokens_of(self.market, {**PRICES, **prices})
        txs = [tx for spec in self.pools for tx in uniswap.move(self.anvil.rpc, self.uniswap, spec, tokens)]
        send_batch(self.anvil.rpc, txs)
        self.anvil.set_automine(False)

    def settings(self, more: str = "") -> str:
        """What goes below [chains.local] and [chains.local.venues.uniswap_v3]."""
        hops = [self.market.reserves[symbol].asset for symbol in ("WETH", "USDC")]
        return f'''
liquidator = "{self.liquidator}"
{more}
[chains.local.venues.uniswap_v3]
factory = "{self.uniswap.factory}"
hops = {hops}
'''.replace("'", '"')


def open_exchange(
    anvil: Anvil, market: AaveDeployment, pools: Sequence[PoolSpec] | None = None, owner: str = PAYER
) -> Selling:
    wanted = demo_pools() if pools is None else pools
    deployed = uniswap.deploy(anvil.rpc, tokens_of(market, PRICES), wanted)
    liquidator = deploy_liquidator(anvil.rpc, owner, PAYER)
    return Selling(anvil, market, deployed, wanted, liquidator)
