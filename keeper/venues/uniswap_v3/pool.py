"""A pool's state, and a swap's effect on it: UniswapV3Pool.swap of v3-core 1.0.1 in exact integers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

from keeper.venues.uniswap_v3.swap_math import SwapStep, step
from keeper.venues.uniswap_v3.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at,
    tick_at,
)

WORD = 256


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool. Addresses lower case, `fee` in millionths; `ticks` are the initialized ones in order, `nets`
    the liquidity each adds upwards. They are complete from the word `first_word` to `last_word`."""

    address: str
    token0: str
    token1: str
    fee: int
    spacing: int
    price: int
    tick: int
    liquidity: int
    balance0: int
    balance1: int
    first_word: int
    last_word: int
    ticks: tuple[int, ...]
    nets: tuple[int, ...]

    @property
    def quotes(self) -> bool:
        """Whether anything is known of its ticks; a pool that is not quoted may still lend."""
        return self.first_word <= self.last_word


@dataclass(frozen=True, slots=True)
class Swapped:
    """Units a swap takes and gives, the pool afterwards, and its steps where there was liquidity."""

    taken: int
    given: int
    pool: Pool
    steps: tuple[SwapStep, ...] = ()


def sell(pool: Pool, token: str, amount: int) -> Swapped | None:
    """The swap of selling exactly `amount`; None when the known liquidity does not suffice."""
    return _swap(pool, token == pool.token0, amount) if amount > 0 else None


def buy(pool: Pool, token: str, amount: int) -> Swapped | None:
    """The swap of buying exactly `amount`; None when the known liquidity does not suffice."""
    return _swap(pool, token == pool.token1, -amount) if amount > 0 else None


def _swap(pool: Pool, down: bool, amount: int) -> Swapped | None:
    price, tick, liquidity, remaining = pool.price, pool.tick, pool.liquidity, amount
    taken = given = 0
    steps: list[SwapStep] = []
    between = False
    limit = MIN_SQRT_RATIO + 1 if down else MAX_SQRT_RATIO - 1
    while remaining:
        if price == limit:
            return None
        found = _next_tick(pool, tick, down)
        if found is None:
            return None
        following, initialized = found
        following = max(MIN_TICK, min(MAX_TICK, following))
        border = sqrt_ratio_at(following)
        target = max(border, limit) if down else min(border, limit)
        if not liquidity:
            price = target
        else:
            done = step(price, target, liquidity, remaining, pool.fee)
            steps.append(done)
            price = done.price
            taken += done.taken + done.fee
            given += done.given
            remaining += done.given if amount < 0 else -(done.taken + done.fee)
        if price == border:
            if initialized:
                net = pool.nets[bisect_left(pool.ticks, following)]
                liquidity += -net if down else net
            tick, between = (following - 1 if down else following), False
        else:
            between = True
    tick = tick_at(price) if between else tick
    after = replace(pool, price=price, tick=tick, liquidity=liquidity)
    return Swapped(taken, given, after, tuple(steps))


def _next_tick(pool: Pool, tick: int, down: bool) -> tuple[int, bool] | None:
    """The next initialized tick within the same word of the bitmap, else the word's last; None beyond what is
    known."""
    compressed = tick // pool.spacing
    if not down:
        compressed += 1
    word = compressed // WORD
    if not pool.first_word <= word <= pool.last_word:
        return None
    if down:
        place = bisect_right(pool.ticks, compressed * pool.spacing) - 1
        border = word * WORD * pool.spacing
        if place >= 0 and pool.ticks[place] >= border:
            return pool.ticks[place], True
        return border, False
    place = bisect_left(pool.ticks, compressed * pool.spacing)
    border = (word * WORD + WORD - 1) * pool.spacing
    if place < len(pool.ticks) and pool.ticks[place] <= border:
        return pool.ticks[place], True
    return border, False
