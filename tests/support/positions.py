"""Positions and money that service tests begin with."""

from __future__ import annotations

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.transactions import Tx
from tests.support.world import World


def ether_for_dollars(market: AaveDeployment, who: str, ether: int, dollars: int) -> list[Tx]:
    """`ether` whole WETH against `dollars` whole USDC."""
    return [
        *act.mint_and_supply(market, market.reserves["WETH"], who, ether * 10**18),
        act.borrow(market, market.reserves["USDC"], who, dollars * 10**6),
    ]


def fund(w: World, **amounts: int) -> None:
    """Token units by symbol for the keeper, and gas money."""
    reserves = w.market.reserves
    w.send(*(act.mint(w.market, reserves[symbol], w.payer, amount) for symbol, amount in amounts.items()))
    w.anvil.set_balance(w.payer, 10**19)


def protect(owner: str, steps: str = "", more: str = "") -> str:
    """A [[protect]] entry with target 1.25 and a wide cap."""
    return f"""
[[protect]]
market = "aave"
account = "{owner}"
target = 1.25
max_spend_per_owner_day = "1000000"
{steps}
{more}
"""
