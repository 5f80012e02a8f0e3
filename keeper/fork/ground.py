"""What a fork has to know of a market: its assets, what they are worth, who holds them, and their feeds."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.account_unit import Rate
from keeper.chain.blocks import latest
from keeper.chain.calls import run as read
from keeper.chain.pool import NodePool
from keeper.fork.leaves import leaves_of
from keeper.localchain.rpc import LocalRpc
from keeper.protocols.aave_v3.lens import PoolState
from keeper.service.markets import MarketRun


@dataclass(frozen=True, slots=True)
class Ground:
    """One asset of a market. Addresses in lower case; `price` in base units a whole token.

    `holder` is the contract that keeps the market's units of it.
    """

    market: str
    asset: str
    symbol: str
    decimals: int
    price: int
    base_decimals: int
    rate: Rate
    holder: str
    oracle: str


def survey(pool: NodePool, runs: list[MarketRun]) -> list[Ground]:
    """All assets of these markets at the newest block."""
    head = latest(pool)
    found: list[Ground] = []
    for run in runs:
        adapter = run.adapter
        state: PoolState = adapter.read_market(
            read(pool, head, [adapter.market_call([])], adapter.lenses())[0]
        )
        facts = adapter.read_planning(
            state, [], read(pool, head, adapter.planning_calls(state, [], adapter.contract))
        )
        for reserve in state.market.reserves.values():
            found.append(
                Ground(
                    market=run.name,
                    asset=reserve.asset.lower(),
                    symbol=facts.symbol(reserve.asset),
                    decimals=reserve.decimals,
                    price=reserve.price,
                    base_decimals=adapter.base_decimals(state),
                    rate=Rate.of(adapter.base_decimals(state), run.settings.base_price),
                    holder=reserve.a_token.lower(),
                    oracle=state.oracle.lower(),
                )
            )
    return found


def feeds(rpc: LocalRpc, assets: list[Ground]) -> dict[str, tuple[str, ...]]:
    """The leaf feeds behind each priced asset."""
    return {each.asset: leaves_of(rpc, each.oracle, each.asset) for each in assets if each.price}
