"""Real Uniswap pools and our contract beside any protocol's market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_account import Account

from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.liquidator import deploy_liquidator
from keeper.localchain.transactions import send_batch
from keeper.localchain.uniswap_v3 import PoolSpec, UniswapDeployment
from tests.conformance.case import Case
from tests.support.keeping import KEY
from tests.support.views import view_int

DOLLARS = 20_000_000
PAYER = str(Account.from_key(KEY).address)


@dataclass
class Exchange:
    case: Case
    deployed: UniswapDeployment
    pools: Sequence[PoolSpec]
    liquidator: str

    def follow(self) -> None:
        """Arbitrage moves the pools to the case's prices."""
        rpc, tokens = self.case.anvil.rpc, self.case.tokens()
        send_batch(rpc, [tx for spec in self.pools for tx in uniswap.move(rpc, self.deployed, spec, tokens)])
        self.case.anvil.set_automine(False)

    def settings(self) -> str:
        hops = ", ".join(f'"{token.address}"' for token in self.case.tokens().values())
        return f"""
liquidator = "{self.liquidator}"
[chains.local.venues.uniswap_v3]
factory = "{self.deployed.factory}"
hops = [{hops}]
"""

    def earned(self, owner: str) -> int:
        """Units of all tokens together: whether anything came at all."""
        tokens = self.case.tokens().values()
        return sum(view_int(self.case.anvil.rpc, t.address, "balanceOf(address)", owner) for t in tokens)


def open_exchange(case: Case) -> Exchange:
    """A pool of every token with the second (a dollar or ether: whatever the case names so)."""
    tokens = case.tokens()
    quote = "USDC" if "USDC" in tokens else next(iter(tokens))
    pools = [PoolSpec(symbol, quote, 3000, DOLLARS) for symbol in tokens if symbol != quote]
    deployed = uniswap.deploy(case.anvil.rpc, tokens, pools)
    return Exchange(case, deployed, pools, deploy_liquidator(case.anvil.rpc, PAYER, PAYER))
