"""A maker's liquidity ranges on Perp v2, in the contracts' integers: holdings, fees and funding.

Roots are Uniswap's square root prices (Q64.96), amounts are scaled 1e18, growths wrap at 256 bits. Source:
perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/OrderBook.sol, lib/Tick.sol, lib/Funding.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.margin.perps.perp_v2 import Position
from keeper.margin.perps.perp_v2_market import Q96, PremiumGrowth
from keeper.margin.rounding import div_trunc

DUST = 10
"""A smaller position (base, 1e18) counts as none."""
_WORD = 2**256


@dataclass(frozen=True, slots=True)
class TickGrowth:
    """Growth outside a tick: fees (Q128), premium and premium over root (Q96)."""

    fee: int = 0
    premium: int = 0
    premium_over_root: int = 0


@dataclass(frozen=True, slots=True)
class RangeGrowth:
    """Growth inside a range, and the premium's growth below it; units of `TickGrowth`."""

    fee_inside: int = 0
    premium_inside: int = 0
    premium_below: int = 0
    premium_over_root_inside: int = 0


@dataclass(frozen=True, slots=True)
class MakerRange:
    """One range: roots of its bounds, liquidity, its debts, and the growth at which it was last settled."""

    lower: int
    upper: int
    liquidity: int
    base_debt: int
    quote_debt: int
    settled: RangeGrowth


def range_growth(
    lower: TickGrowth, upper: TickGrowth, side: int, growth: PremiumGrowth, fee: int
) -> RangeGrowth:
    """Growth inside a range by now. `side` of the pool's tick: −1 below the range, 0 in it, 1 at its upper
    bound or above. `fee` is the pool's global fee growth (Q128)."""
    fees = _inside(lower.fee, upper.fee, side, fee)[0]
    premium, below = _inside(lower.premium, upper.premium, side, growth.premium)
    over_root = _inside(lower.premium_over_root, upper.premium_over_root, side, growth.premium_over_root)[0]
    return RangeGrowth(fees % _WORD, _signed(premium), _signed(below), _signed(over_root))


def held_base(each: MakerRange, root: int) -> int:
    """Base that a range holds while the pool is at this root, rounded down."""
    return _amount0(max(root, each.lower), each.upper, each.liquidity) if root < each.upper else 0


def held_quote(each: MakerRange, root: int) -> int:
    """Quote that a range holds while the pool is at this root, without its fees, rounded down."""
    return each.liquidity * (min(root, each.upper) - each.lower) // Q96 if root > each.lower else 0


def pending_fee(each: MakerRange, growth: RangeGrowth) -> int:
    """Fees that a range has not yet collected, quote, rounded down."""
    return (growth.fee_inside - each.settled.fee_inside) % _WORD * each.liquidity // 2**128


def range_funding(each: MakerRange, growth: RangeGrowth) -> int:
    """What a range adds to its account's funding, quote·seconds: for all its base while the pool was below
    the range, for the part it held while within."""
    below = _amount0(each.lower, each.upper, each.liquidity) * (
        growth.premium_below - each.settled.premium_below
    )
    at_upper = div_trunc((growth.premium_inside - each.settled.premium_inside) * Q96, each.upper)
    within = growth.premium_over_root_inside - each.settled.premium_over_root_inside - at_upper
    return div_trunc(below + each.liquidity * within, Q96)


def maker_position(size: int, notional: int, ranges: Sequence[MakerRange], root: int, price: int) -> Position:
    """An account's position in a market: the taker's size and open notional, and its ranges at the pool's
    root.

    `price` is the mark, or the price used in its place in a paused or closed market; it also values debts.
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
    """(growth between two ticks, growth below the lower)."""
    below = lower if side >= 0 else total - lower
    above = upper if side <= 0 else total - upper
    return total - below - above, below


def _amount0(lower: int, upper: int, liquidity: int) -> int:
    return (liquidity << 96) * (upper - lower) // upper // lower


def _signed(value: int) -> int:
    return (value + _WORD // 2) % _WORD - _WORD // 2
