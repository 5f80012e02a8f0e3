"""A maker's ranges on Perp v2 in the contracts' own integers: what they hold, their fees and their funding.

Roots of prices are Uniswap's Q64.96, growths wrap at 256 bits. Source: perpetual-protocol/
perp-curie-contract 2.6 and 2.8, contracts/OrderBook.sol, lib/Tick.sol, lib/Funding.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.margin.perps.perp_v2 import Position
from keeper.margin.perps.perp_v2_market import Q96, PremiumGrowth
from keeper.margin.rounding import div_trunc

DUST = 10
"""A position of less is none."""
_WORD = 2**256


@dataclass(frozen=True, slots=True)
class TickGrowth:
    """What grew on the far side of a tick: fees (Q128), premium and premium over root (Q96)."""

    fee: int = 0
    premium: int = 0
    premium_over_root: int = 0


@dataclass(frozen=True, slots=True)
class RangeGrowth:
    """What grew inside a range, and premium below it."""

    fee_inside: int = 0
    premium_inside: int = 0
    premium_below: int = 0
    premium_over_root_inside: int = 0


@dataclass(frozen=True, slots=True)
class MakerRange:
    """One range: roots of its bounds, what was borrowed for it, and the growth it was last settled at."""

    lower: int
    upper: int
    liquidity: int
    base_debt: int
    quote_debt: int
    settled: RangeGrowth


def range_growth(
    lower: TickGrowth, upper: TickGrowth, side: int, growth: PremiumGrowth, fee: int
) -> RangeGrowth:
    """What grew inside a range by now. `side` of the pool's tick: −1 below the range, 0 in it, 1 at its upper
    bound or above."""
    fees = _inside(lower.fee, upper.fee, side, fee)[0]
    premium, below = _inside(lower.premium, upper.premium, side, growth.premium)
    over_root = _inside(lower.premium_over_root, upper.premium_over_root, side, growth.premium_over_root)[0]
    return RangeGrowth(fees % _WORD, _signed(premium), _signed(below), _signed(over_root))


def held_base(each: MakerRange, root: int) -> int:
    """The base a range holds while the pool is at this root."""
    return _amount0(max(root, each.lower), each.upper, each.liquidity) if root < each.upper else 0


def held_quote(each: MakerRange, root: int) -> int:
    """The quote a range holds while the pool is at this root, without its fees."""
    return each.liquidity * (min(root, each.upper) - each.lower) // Q96 if root > each.lower else 0


def pending_fee(each: MakerRange, growth: RangeGrowth) -> int:
    """The fees a range has not yet collected."""
    return (growth.fee_inside - each.settled.fee_inside) % _WORD * each.liquidity // 2**128


def range_funding(each: MakerRange, growth: RangeGrowth) -> int:
    """What a range adds to its account's funding: all its base while the pool is below, a part within."""
    below = _amount0(each.lower, each.upper, each.liquidity) * (
        growth.premium_below - each.settled.premium_below
    )
    at_upper = div_trunc((growth.premium_inside - each.settled.premium_inside) * Q96, each.upper)
    within = growth.premium_over_root_inside - each.settled.premium_over_root_inside - at_upper
    return div_trunc(below + each.liquidity * within, Q96)


def maker_position(size: int, notional: int, ranges: Sequence[MakerRange], root: int, price: int) -> Position:
    """A market's position of an account: taker's size and open notional, and its ranges at the pool's root.

    `price` is the mark, or what stands for it in a paused or closed market; it values debts as well.
    """
    base_debt = sum(each.base_debt for each in ranges)
    quote_balance = notional - sum(each.quote_debt for each in ranges)
    total = size + sum(held_base(each, root) for each in ranges) - base_debt
    return Position(
        size=total if abs(total) >= DUST else 0,
        quote=quote_balance + sum(held_quote(each, root) for each in ranges),
        mark=price,
        index=price,
        base_debt=max(0, base_debt - size),
        quote_balance=quote_balance,
    )


def _inside(lower: int, upper: int, side: int, total: int) -> tuple[int, int]:
    """What grew between two ticks, and below the lower."""
    below = lower if side >= 0 else total - lower
    above = upper if side <= 0 else total - upper
    return total - below - above, below


def _amount0(lower: int, upper: int, liquidity: int) -> int:
    return (liquidity << 96) * (upper - lower) // upper // lower


def _signed(value: int) -> int:
    return (value + _WORD // 2) % _WORD - _WORD // 2
