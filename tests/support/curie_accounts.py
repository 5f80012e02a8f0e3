"""Perp v2's markets and accounts worked out by the margin library from what the contracts store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from keeper.localchain import perp_v2_actions as actions
from keeper.localchain.calldata import calldata, decoded, view
from keeper.localchain.perp_v2_market import DOLLAR, RATIO, WAD, LocalBase
from keeper.localchain.rpc import Request, as_dict, as_int, as_str
from keeper.margin.perps.perp_v2 import Position
from keeper.margin.perps.perp_v2_index import IndexObservation, index_average
from keeper.margin.perps.perp_v2_market import (
    PremiumGrowth,
    accrue_premium,
    funding_payment,
    mark_price,
    mean_tick,
)
from keeper.margin.perps.perp_v2_ranges import (
    MakerRange,
    RangeGrowth,
    maker_position,
    pending_fee,
    range_funding,
    range_growth,
)
from keeper.venues.uniswap_v3.tick_math import sqrt_ratio_at
from tests.support.curie_exchange import COLLATERALS, CurieExchange
from tests.support.curie_storage import fee_growth, first_traded, premium_growth, tick_growth

PREMIUM, LONG_AVERAGE, MAX_RATE = 900, 1_800, 100_000


@dataclass(frozen=True)
class MarketNow:
    """One market at the latest block: the pool's root and tick, the price of positions, and funding."""

    base: LocalBase
    root: int
    tick: int
    price: int
    growth: PremiumGrowth


@dataclass(frozen=True)
class WorkedOut:
    """One account worked out from what is stored."""

    positions: Sequence[Position]
    collateral: int
    ether: int
    ether_price: int
    funding: Sequence[int]
    fees: int


def average_root(market: CurieExchange, base: LocalBase, interval: int, ago: int = 0) -> int:
    """The pool's average until some seconds ago, as a root; the root of the moment where the interval is too
    short to average."""
    if interval < 10:
        return actions.pool_root(market.anvil.rpc, base)
    arguments = ([ago + interval, ago],)
    observed = view(market.anvil.rpc, base.pool, "observe(uint32[])", arguments, "int56[]", "uint160[]")
    return sqrt_ratio_at(mean_tick(*cast(tuple[int, int], observed[0]), interval))


def index_averages(market: CurieExchange, base: LocalBase, now: int, *intervals: int) -> list[int]:
    """The index averaged over each interval, from what the feed has noted."""
    price, answered = market.numbers(base.feed, "getLatestOrCachedPrice()", "uint256,uint256")
    count = market.number(base.feed, "currentObservationIndex()") + 1
    reads: list[Request] = [
        ("eth_call", [{"to": base.feed, "data": calldata("observations(uint256)", place)}, "latest"])
        for place in range(count)
    ]
    answers = [decoded(["uint256"] * 3, as_str(each)) for each in market.anvil.rpc.batch(reads)]
    noted = [IndexObservation(*cast(tuple[int, int, int], each)) for each in answers]
    held = noted if noted[0].time else []
    return [index_average(held, price, answered, interval, now) * 10**10 for interval in intervals]


def market_now(market: CurieExchange, base: LocalBase) -> MarketNow:
    """The market as it is: paused or closed, its price and its funding's end are fixed."""
    block = as_dict(market.anvil.rpc.call("eth_getBlockByNumber", "latest", False))
    now = as_int(block["timestamp"])
    root, tick = market.numbers(base.pool, "slot0()", "uint160,int24")
    ago = 0
    if not market.number(base.token, "isOpen()"):
        ago = now - market.number(base.token, "getPausedTimestamp()")
    traded = first_traded(market, base)
    interval = min(PREMIUM, now - ago - traded) if traded else 0
    if ago:
        funding_index = price = market.number(base.token, "getPausedIndexPrice()")
        if market.number(base.token, "isClosed()"):
            price = market.number(base.token, "getClosedPrice()")
    else:
        averages = index_averages(market, base, now, 0, PREMIUM, interval)
        index, premium_index, funding_index = averages
        short = root if market.system.build == "2.6.0" else average_root(market, base, 15)
        long, premium = (average_root(market, base, each) for each in (LONG_AVERAGE, PREMIUM))
        price = mark_price(short, long, premium, index, premium_index)
    average = average_root(market, base, interval, ago)
    stored = premium_growth(market, base)
    growth = accrue_premium(stored, average, funding_index, root, MAX_RATE, now - ago)
    return MarketNow(base, root, tick, price, growth)


def ranges_of(market: CurieExchange, who: str, now: MarketNow) -> list[tuple[MakerRange, RangeGrowth]]:
    """An account's ranges in one market, each with what has grown in it."""
    book, token = market.system.order_book, now.base.token
    arguments = (who, token)
    identities = view(market.anvil.rpc, book, "getOpenOrderIds(address,address)", arguments, "bytes32[]")[0]
    found = []
    for identity in cast(tuple[bytes, ...], identities):
        types = "uint128,int24,int24,uint256,int256,int256,int256,uint256,uint256"
        liquidity, lower, upper, *settled, base, quote = market.numbers(
            book, "getOpenOrderById(bytes32)", types, identity
        )
        side = -1 if now.tick < lower else 0 if now.tick < upper else 1
        below, above = (tick_growth(market, now.base, tick) for tick in (lower, upper))
        grown = range_growth(below, above, side, now.growth, fee_growth(market, now.base))
        roots = (sqrt_ratio_at(lower), sqrt_ratio_at(upper))
        found.append((MakerRange(*roots, liquidity, base, quote, RangeGrowth(*settled)), grown))
    return found


def account(market: CurieExchange, who: str, markets: Sequence[MarketNow]) -> WorkedOut:
    positions, funding, fees = [], [], 0
    for now in markets:
        size, notional, settled = market.taker(who, now.base)
        ranges = ranges_of(market, who, now)
        held = [each for each, _ in ranges]
        positions.append(maker_position(size, notional, held, now.root, now.price))
        fees += sum(pending_fee(*each) for each in ranges)
        base = size - sum(each.base_debt for each in held)
        own = sum(range_funding(*each) for each in ranges)
        funding.append(funding_payment(base, now.growth, settled, own))
    owed = market.owed(who)[0]
    dollars = market.balance(who) * WAD // DOLLAR
    price = market.number(
        market.system.collateral_manager, "getPrice(address,uint256)", market.weth.token, PREMIUM
    )
    ether = market.balance(who, market.weth) * price // 10**8 * COLLATERALS[0].collateral_ratio // RATIO
    total = dollars + ether + owed + fees - sum(funding)
    return WorkedOut(positions, total, ether, price, funding, fees)
