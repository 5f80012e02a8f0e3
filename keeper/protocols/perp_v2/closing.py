"""Closing a position against the pool: its price and fee, and how far a trade may go.

Source: perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/Exchange.sol, OrderBook.sol,
lib/SwapMath.sol.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from keeper.margin.perps.perp_v2_market import pool_price
from keeper.margin.rounding import div_trunc, mul_div_down, mul_div_up
from keeper.protocols.perp_v2.lens import Trading
from keeper.protocols.perp_v2.records import StoredRange
from keeper.venues.uniswap_v3.pool import Pool, Swapped, buy, sell

_MILLION = 10**6


def closed(trading: Trading, size: int, timestamp: int) -> int | None:
    """Quote (18 decimals) that closing a position of this signed size brings, negative what it costs, its fee
    included; None where the exchange refuses: the pool would move too far, or has too little.

    Fees are those of everybody: one to whom the exchange gives a discount gets more."""
    if not trading.max_ticks or not size:
        return None
    swapped = _swapped(trading.pool, size)
    if (
        swapped is None
        or not swapped.taken
        or not swapped.given
        or not _may_reach(trading, swapped.pool, timestamp)
    ):
        return None
    fee = trading.fee
    if size > 0:
        return swapped.given - sum(mul_div_up(step.given, fee, _MILLION) for step in swapped.steps)
    cost = mul_div_down(swapped.taken, _MILLION - trading.pool.fee, _MILLION)
    return -cost - sum(mul_div_up(step.taken, fee, _MILLION - fee) for step in swapped.steps)


def _swapped(pool: Pool, size: int) -> Swapped | None:
    """Exactly so much base into the pool, its own fee made up for, or out of it."""
    if size > 0:
        return sell(pool, pool.token0, mul_div_up(size, _MILLION, _MILLION - pool.fee))
    swapped = buy(pool, pool.token0, -size)
    return swapped if swapped is not None and swapped.given == -size else None


def _may_reach(trading: Trading, after: Pool, timestamp: int) -> bool:
    """Whether a trade may leave the pool there: by the limit on ticks, and by the band around the index, into
    which it may also come back."""
    if abs(after.tick - trading.middle(timestamp)) > trading.max_ticks or not trading.index:
        return False
    was, now = (_spread(each, trading.index) for each in (trading.pool, after))
    return min(was, -trading.band) <= now <= max(was, trading.band)


def _spread(pool: Pool, index: int) -> int:
    """How far the pool is above the index, in millionths."""
    return div_trunc((pool_price(pool.price) - index) * _MILLION, index)


def without(trading: Trading, ranges: Iterable[StoredRange]) -> Trading:
    """The market once these ranges are gone. A tick at which nothing is left is no longer one: where others'
    ranges just make up for each other there, a step is parted in two, which rounds apart."""
    pool = trading.pool
    nets, liquidity = dict(zip(pool.ticks, pool.nets, strict=True)), pool.liquidity
    for each in ranges:
        for tick, net in ((each.lower, -each.liquidity), (each.upper, each.liquidity)):
            if tick in nets:
                nets[tick] += net
                if not nets[tick]:
                    del nets[tick]
        if each.lower <= pool.tick < each.upper:
            liquidity -= each.liquidity
    left = replace(pool, liquidity=liquidity, ticks=tuple(nets), nets=tuple(nets.values()))
    return replace(trading, pool=left)
