"""A perps market's skew: fill price, funding velocity and rate, profit and loss of a position.

Source: Synthetixio/synthetix-v3, markets/perps-market/contracts/storage (AsyncOrder, PerpsMarket, Position).
Everything 18 decimals; rates per day; times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.margin.checks import integer, natural
from keeper.margin.rounding import WAD, wad_div_trunc, wad_mul_trunc

DAY = 86_400


@dataclass(frozen=True, slots=True)
class FundingState:
    """A market's state stored at `time`: signed skew, rate per day, accumulated funding per unit of size."""

    skew: int
    rate: int = 0
    value: int = 0
    time: int = 0

    def __post_init__(self) -> None:
        for name in ("skew", "rate", "value"):
            integer(getattr(self, name), name)
        natural(self.time, "time")


def fill_price(skew: int, skew_scale: int, size: int, price: int) -> int:
    """Mean of the prices before and after the trade, price·(1 + (skew + size/2)/scale); scale 0: `price`."""
    natural(price, "price")
    if natural(skew_scale, "skew_scale") == 0:
        return price
    before = price + wad_mul_trunc(price, wad_div_trunc(skew, skew_scale))
    after = price + wad_mul_trunc(price, wad_div_trunc(skew + size, skew_scale))
    return wad_div_trunc(before + after, 2 * WAD)


def order_fee(size: int, fill: int, skew: int, maker_fee: int, taker_fee: int) -> int:
    """Fee of a trade of signed `size` at its fill price, without the settlement reward: the maker rate on
    what reduces the market's skew, the taker rate on what increases it.

    Source: AsyncOrder.calculateOrderFee.
    """
    notional = wad_mul_trunc(size, fill)
    if _same_side(skew + size, skew):
        rate = taker_fee if _same_side(notional, skew) else maker_fee
        return abs(wad_mul_trunc(notional, rate))
    reduced = wad_mul_trunc(wad_mul_trunc(abs(skew), fill), maker_fee)
    return reduced + wad_mul_trunc(wad_mul_trunc(abs(skew + size), fill), taker_fee)


def _same_side(one: int, other: int) -> bool:
    """As MathUtil.sameSide: zero is on both sides."""
    return not one or not other or (one > 0) == (other > 0)


def funding_velocity(skew: int, skew_scale: int, max_velocity: int) -> int:
    """clamp(skew/scale, ±1)·max velocity: the change of the funding rate per day; 0 without a scale."""
    if natural(skew_scale, "skew_scale") == 0:
        return 0
    proportional = max(-WAD, min(WAD, wad_div_trunc(skew, skew_scale)))
    return wad_mul_trunc(proportional, natural(max_velocity, "max_velocity"))


def accrue(state: FundingState, price: int, skew_scale: int, max_velocity: int, time: int) -> FundingState:
    """The market at `time`: rate moved by velocity, value by the mean of old and new rate times price.

    Funding flows against the skew: a positive rate makes longs pay, so `value` falls.
    """
    elapsed = wad_div_trunc(natural(time - state.time, "time"), DAY)
    velocity = funding_velocity(state.skew, skew_scale, max_velocity)
    rate = state.rate + wad_mul_trunc(velocity, elapsed)
    average = -wad_div_trunc(state.rate + rate, 2 * WAD)
    accrued = wad_mul_trunc(wad_mul_trunc(average, elapsed), natural(price, "price"))
    return replace(state, rate=rate, value=state.value + accrued, time=time)


def position_pnl(
    size: int, entry_price: int, price: int, entry_funding: int = 0, funding: int = 0, interest: int = 0
) -> int:
    """size·(price − entry) + size·(funding − entry funding) − interest charged."""
    moved = wad_mul_trunc(size, price - entry_price)
    return moved + wad_mul_trunc(size, funding - entry_funding) - interest


def max_liquidation_in_window(
    maker_fee: int, taker_fee: int, skew_scale: int, multiplier: int, window: int
) -> int:
    """(maker + taker)·skew scale·multiplier·window: the most size liquidated in `window` seconds."""
    rate = wad_mul_trunc(wad_mul_trunc(maker_fee + taker_fee, skew_scale), multiplier)
    return rate * natural(window, "window")


def liquidation_capacity(
    window_max: int, liquidated: tuple[tuple[int, int], ...], window: int, time: int
) -> int:
    """Size that may still be liquidated at `time`, given (time, size) of earlier liquidations there."""
    recent = sum(size for when, size in liquidated if when > time - window)
    return max(0, window_max - recent)


def liquidation_windows(size: int, window_max: int) -> int:
    """Number of windows that a whole liquidation takes: ⌈|size| / max⌉; 0 where the market has no limit."""
    if natural(window_max, "window_max") == 0:
        return 0
    return -(-abs(size) // window_max)
