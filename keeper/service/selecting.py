"""Which accounts are valued in exact integers at a block: those whose bounds leave a threshold open, those
about whom something is to be told or done, and those who are always."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from keeper.book.book import Book
from keeper.book.screening import Screen
from keeper.margin.lending.weights import Weights
from keeper.policy.levels import WAD, Threshold
from keeper.protocols.base import Valuation

# Of those certainly below the liquidation threshold, so many are valued: the largest debts first.
MOST_BREACHES = 2_000
# Of those certainly below another, so many of the lowest: their numbers are followed from block to block.
FOLLOWED = 64
# Two units in the last place of a health scaled 1e18: what bounds in real numbers leave out.
_ROUNDING = 4e-18

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Watch:
    """What there is to decide about in a market.

    `levels` are the thresholds of all accounts but the `special` (those with their own, or under protection),
    `hysteresis` how far above a warn or top-up threshold an episode ends (both 1e18); `open` are the accounts
    with an open episode, by its threshold. `everything`: every account is valued exactly, not only where it
    matters.
    """

    levels: Mapping[Threshold, int] = field(default_factory=dict)
    hysteresis: int = 0
    special: frozenset[str] = frozenset()
    open: Mapping[Threshold, frozenset[str]] = field(default_factory=dict)
    everything: bool = False

    def ends(self, threshold: Threshold) -> int:
        """The health from which an episode is over."""
        level = self.levels[threshold]
        return level if threshold == "liquidate" else level * (WAD + self.hysteresis) // WAD


EVERYTHING = Watch(everything=True)


@dataclass(frozen=True, slots=True)
class Selected:
    """Rows to value exactly, and how many others are certainly below a threshold. `touching` of the rows are
    there because their bounds leave a threshold open: the others were certain already."""

    rows: Rows
    nearest: Rows
    others_below: int = 0
    touching: int = 0


def select(
    book: Book[object, object, Valuation], screen: Screen, now: Weights, growth: float, watch: Watch
) -> Selected:
    """Screen all accounts and choose. `growth` is how much debts may grow until the next block, as a ratio:
    whoever may cross a threshold by interest alone is among the chosen."""
    columns = book.columns
    screen.run(now)
    always = columns.opaque | columns.rows_with(now.opaque)
    always.update(row for a in watch.special if (row := book.rows.row(a)) is not None)
    highest = max((watch.ends(t) for t in watch.levels), default=WAD)
    pool = screen.below(_over(highest) * growth)
    low, high, rows = screen.low[pool], screen.high[pool], screen.rows[pool].astype(np.int64)
    # What a row has left behind when it moved has no debt, and is never among them.
    chosen = np.zeros(len(pool), np.bool_)
    below_any = np.zeros(len(pool), np.bool_)
    for threshold, level in watch.levels.items():
        for each in {level, watch.ends(threshold)}:
            chosen |= (low < _over(each) * growth) & ~(high < _under(each))
        certain = high < _under(level)
        below_any |= certain
        # Who is certainly below and has no episode yet, or has one that is certainly over.
        chosen |= certain & ~np.isin(rows, _rows(book, watch.open.get(threshold, ())))
    touching = int(chosen.sum())
    if "liquidate" in watch.levels:
        breaching = np.flatnonzero(high < _under(watch.levels["liquidate"]))
        largest = np.argsort(-screen.need[pool[breaching]], kind="stable")[:MOST_BREACHES]
        chosen[breaching[largest]] = True
    order = np.argsort(low, kind="stable")[:FOLLOWED]
    chosen[order] = True
    over = [
        row
        for threshold, accounts in watch.open.items()
        for row in _over_again(book, screen, accounts, watch.ends(threshold))
    ]
    exact = np.unique(
        np.concatenate([rows[chosen], np.fromiter(always, np.int64), np.fromiter(over, np.int64)])
    )
    others = int(np.count_nonzero(below_any & ~np.isin(rows, exact)))
    return Selected(exact, rows[order], others, touching)


def _over_again(
    book: Book[object, object, Valuation], screen: Screen, accounts: Iterable[str], level: int
) -> list[int]:
    """Rows with an open episode that may have ended."""
    rows = _rows(book, accounts)
    if not len(rows):
        return []
    over = ~(screen.high[book.columns.places(rows)] < _under(level))
    return [int(row) for row in rows[over]]


def _rows(book: Book[object, object, Valuation], accounts: Iterable[str]) -> Rows:
    return np.array([row for a in accounts if (row := book.rows.row(a)) is not None], np.int64)


def _over(level: int) -> float:
    """A float above a level scaled 1e18, whatever its rounding."""
    return float(np.nextafter(level / WAD, np.inf)) + _ROUNDING


def _under(level: int) -> float:
    return float(np.nextafter(level / WAD, 0)) - _ROUNDING


def growth(now: Weights, then: Weights) -> float:
    """The most that any debt grows between two moments, as a ratio."""
    there = now.need > 0
    if not there.any():
        return 1.0
    return float(np.max(then.need[there] / now.need[there])) * (1 + 2.0**-50)
