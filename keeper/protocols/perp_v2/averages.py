"""Averages in the seconds to come, if nothing happens: they move by time alone, mark and funding with them.

A window that begins later leaves out what was at its beginning: the lens tells it of each of the next
seconds, beyond which the last one's slope is taken on. The pool's averages are exact. The index's are rounded
down to its own decimals in the view they are read from, and may come out one of these units lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from keeper.errors import MarginError
from keeper.margin.perps.perp_v2_market import mark_price, mean_tick
from keeper.venues.uniswap_v3.tick_math import sqrt_ratio_at

# Of a shorter interval the pool's price of the moment is taken.
SHORTEST = 10
# What builds from 2.7 on average over where earlier ones took the pool's price of the moment.
_SHORT = 15
# The index has as many decimals as the answers behind it, at most eighteen; most have eight.
_COARSEST = 10**10


@dataclass(frozen=True, slots=True)
class PoolWindow:
    """Cumulative ticks where a window of so many seconds begins, now and after each second."""

    interval: int
    begins: tuple[int, ...]

    def begin(self, shift: int, now: int, tick: int) -> int:
        """Where it begins so many seconds later; cumulative ticks are `now` and grow by `tick`."""
        if shift >= self.interval:
            return now + tick * (shift - self.interval)
        return _on(self.begins, shift)


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """Averages until now over a window of so many seconds, and over what is left of it after each second.
    `step` is the unit that they are rounded down to."""

    interval: int
    averages: tuple[int, ...]
    step: int

    def average(self, shift: int, passed: int, interval: int, spot: int) -> int:
        """The average `passed` seconds later over `interval`, which then begins `shift` seconds later."""
        left = max(self.interval - shift, 0)
        known = self.averages[min(shift, len(self.averages) - 1)]
        return (known * left + spot * passed) // interval // self.step * self.step


def _on(points: tuple[int, ...], shift: int) -> int:
    if shift < len(points):
        return points[shift]
    slope = points[-1] - points[-2] if len(points) > 1 else 0
    return points[-1] + slope * (shift - len(points) + 1)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a market's averages come from at the second `read`: the pool's cumulative ticks, tick and root,
    the index of the moment, and the windows. `short` is None where the mark looks at the pool's price of the
    moment; `twap` is what funding averages over once the market is old enough, 0 before its first trade."""

    read: int
    cumulative: int
    tick: int
    root: int
    spot: int
    short: PoolWindow | None
    long: PoolWindow
    premium: PoolWindow
    premium_index: PriceWindow
    twap: int
    funding: PoolWindow
    funding_index: PriceWindow

    def mark(self, timestamp: int) -> int | None:
        """None where the contract reverts."""
        passed, premium = timestamp - self.read, self.premium.interval
        index = self.premium_index.average(passed, passed, premium, self.spot) if premium else self.spot
        short, long, mean = (
            self._pool(each, passed, passed) for each in (self.short, self.long, self.premium)
        )
        try:
            return mark_price(short, long, mean, self.spot, index)
        except MarginError:
            return None

    def of_funding(self, timestamp: int) -> tuple[int, int]:
        """The root of the pool's average and the index's, over funding's interval."""
        passed, had = timestamp - self.read, self.funding.interval
        interval = min(self.twap, had + passed)
        if not interval:
            return self.root, self.spot
        shift = passed - (interval - had)
        index = self.funding_index.average(shift, passed, interval, self.spot)
        return self._pool(self.funding, shift, passed, interval), index

    def _pool(self, window: PoolWindow | None, shift: int, passed: int, interval: int = 0) -> int:
        """The root of an average that ends `passed` seconds later and begins `shift` seconds later."""
        if window is None or (interval or window.interval) < SHORTEST:
            return self.root
        begin = window.begin(shift, self.cumulative, self.tick)
        end = self.cumulative + self.tick * passed
        return sqrt_ratio_at(mean_tick(begin, end, interval or window.interval))


def ahead_of(
    read: int, tick: int, root: int, spot: int, mark: int, funding: int, row: Sequence[Any]
) -> Ahead | None:
    """What the lens tells of it, where that explains the present mark; `funding` is its present interval."""
    cumulative, long, premium, twap, later, *packed = row
    if not all(packed):
        return None
    short_ticks, long_ticks, premium_ticks, funding_ticks, premium_index, funding_index = packed
    short = PoolWindow(_SHORT, _ticks(short_ticks))
    found = Ahead(
        read,
        cumulative,
        tick,
        root,
        spot,
        short if later else None,
        PoolWindow(long, _ticks(long_ticks)),
        PoolWindow(premium, _ticks(premium_ticks)),
        _prices(premium, premium_index, spot),
        twap,
        PoolWindow(funding, _ticks(funding_ticks)),
        _prices(funding, funding_index, spot),
    )
    ways = (found, replace(found, short=None if later else short))
    return next((each for each in ways if each.mark(read) == mark), None)


def price_window(interval: int, packed: bytes, step: int = 1) -> PriceWindow | None:
    """None where nothing was told."""
    return PriceWindow(interval, _numbers(packed, 16, signed=False), step) if packed else None


def _ticks(packed: bytes) -> tuple[int, ...]:
    return _numbers(packed, 7, signed=True)


def _prices(interval: int, packed: bytes, spot: int) -> PriceWindow:
    averages = _numbers(packed, 16, signed=False)
    step = _COARSEST
    while any(each % step for each in (spot, *averages)):
        step //= 10
    return PriceWindow(interval, averages, step)


def _numbers(packed: bytes, size: int, *, signed: bool) -> tuple[int, ...]:
    places = range(0, len(packed), size)
    return tuple(int.from_bytes(packed[at : at + size], "big", signed=signed) for at in places)
