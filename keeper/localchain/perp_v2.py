"""Deploy Perp v2 (Curie) from its npm packages: the real exchange on real Uniswap v3 pools.

Perp's own price feeds read Chainlink's test aggregators, and anyone may mint the settlement token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from types import MappingProxyType

from keeper.localchain import perp_v2_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import view_address
from keeper.localchain.deployer import Deployer
from keeper.localchain.perp_v2_market import (
    WAD,
    BaseSpec,
    CurieBuild,
    CurieDeployment,
    CurieSpec,
    LocalBase,
    VaultCollateralSpec,
)
from keeper.localchain.perp_v2_setup import (
    admit_collaterals,
    create_base,
    create_core,
    create_tokens,
    hand_over,
    open_market,
    pool_tokens,
)
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.tokens import create_zero_first
from keeper.localchain.transactions import send_batch
from keeper.localchain.uniswap_v3 import SPACING, sqrt_price, tick_near

SETTLEMENT_DECIMALS = 6
MAKER, MOVER = "0x" + "3a" * 20, "0x" + "30" * 20
RIPE = 30 * 60 + 1
"""Seconds after which the mark price, which averages the pool over half an hour, can be read."""
_PURSE = 10**15


def deploy(
    rpc: LocalRpc,
    markets: Sequence[BaseSpec],
    collaterals: Sequence[VaultCollateralSpec] = (),
    system: CurieSpec | None = None,
    build: CurieBuild = "2.6.0",
    deployer: str = ACCOUNTS[0],
    maker: str = MAKER,
    mover: str = MOVER,
) -> CurieDeployment:
    """Deploy the whole system with liquidity around the given prices, its pools half an hour old; `deployer`
    owns all of it. The same inputs on a fresh chain give the same addresses."""
    spec = system or CurieSpec()
    queue = Deployer(rpc, deployer)
    quote, bases = create_tokens(queue, build, len(markets))
    usd = create_zero_first(queue, "USD Coin", "USDC", SETTLEMENT_DECIMALS)
    core = create_core(queue, build, usd, quote, spec)
    hand_over(queue, core.clearing_house, quote)
    sources = [
        create_base(queue, build, core, quote, token, each, spec.price_timeout)
        for each, token in zip(markets, bases, strict=True)
    ]
    queue.call(usd, "mint(address,uint256)", core.insurance_fund, spec.insurance)
    tokens = admit_collaterals(queue, core, collaterals)
    queue.flush()

    made = {}
    for each, token, source in zip(markets, bases, sources, strict=True):
        pool = view_address(rpc, core.factory, "getPool(address,address,uint24)", token, quote, each.fee)
        made[each.symbol] = LocalBase(each.symbol, token, pool, *source, each)
        open_market(queue, core, quote, made[each.symbol])
    queue.flush()
    deployment = CurieDeployment(
        build=build,
        **asdict(core),
        quote=quote,
        usd=usd,
        owner=deployer,
        maker=maker,
        mover=mover,
        markets=MappingProxyType(made),
        collaterals=MappingProxyType(dict(tokens)),
    )
    actions.pass_time(rpc, RIPE)
    _fill(rpc, deployment)
    return deployment


def _fill(rpc: LocalRpc, system: CurieDeployment) -> None:
    purses = [
        step
        for who in (system.maker, system.mover)
        for step in actions.mint_and_deposit(system, who, _PURSE * 10**SETTLEMENT_DECIMALS)
    ]
    ranges = []
    for market in system.markets.values():
        spec, spacing = market.spec, SPACING[market.spec.fee]
        middle = tick_near(sqrt_price(*pool_tokens(market.token, system.quote, spec.price)))
        bottom, top = ((middle + side) // spacing * spacing for side in (-spec.width, spec.width))
        base = spec.depth * WAD * 10**8 // spec.price
        ranges.append(
            actions.add_liquidity(system, system.maker, market, base, spec.depth * WAD, bottom, top)
        )
    send_batch(rpc, [*purses, *ranges])
