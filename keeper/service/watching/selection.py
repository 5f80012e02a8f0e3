"""Select which accounts are valued in exact integers at a block: those whose bounds leave a threshold open,
those with something to report or do, and those that always are; and which are compared with the contract's
own view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keeper.book.book import Book
from keeper.book.entries import Floats
from keeper.book.screening.bounds import HealthBounds
from keeper.margin.lending.weights import Weights
from keeper.model.money import WAD
from keeper.model.valuation import Valuation
from keeper.policy.levels import Threshold
from keeper.service.markets import Market
from keeper.service.watching.memory import MarketMemory

# Of those certainly below the liquidation threshold, so many are valued: the largest maintenances first.
MOST_BREACHES = 2_000
# Of those certainly below another, so many of the lowest: their numbers are followed from block to block.
FOLLOWED = 64
# So many times a level health may be to be valued at the next block's time too, where nothing tells more.
FAR = 2.0
# Accounts compared before a market may be acted in.
START_SAMPLE = 64
# Portfolios are bounded by scenarios from so many accounts on; fewer are all valued exactly.
SCENARIOS_FROM = 128
# Two units in the last place of a health scaled 1e18: what bounds in real numbers leave out.
_ROUNDING = 4e-18

Rows = NDArray[np.int64]
NO_ROWS: Rows = np.zeros(0, np.int64)
AnyBook = Book[Any, Any, Valuation]


@dataclass(frozen=True, slots=True)
class Watch:
    """What there is to decide about in a market.

    `levels` are the thresholds of all accounts but the `special` (those with their own, or under protection),
    `hysteresis` how far above a warn or top-up threshold an episode ends (both 1e18); `open` gives the rows
    of the accounts with an open episode, by its threshold. `everything`: every account is valued exactly, not
    only where it matters.
    """

    levels: Mapping[Threshold, int] = field(default_factory=dict)
    hysteresis: int = 0
    special: frozenset[str] = frozenset()
    open: Callable[[Threshold], Rows] = field(default=lambda _: NO_ROWS)
    everything: bool = False

    def ends(self, threshold: Threshold) -> int:
        """The health from which an episode is over."""
        level = self.levels[threshold]
        return level if threshold == "liquidate" else level * (WAD + self.hysteresis) // WAD


EVERYTHING = Watch(everything=True)


@dataclass(frozen=True, slots=True)
class Selected:
    """Rows to value exactly, and how many others are certainly below a threshold. `undecided` counts the rows
    selected because their bounds leave a threshold open: the others were certain already."""

    rows: Rows
    nearest: Rows
    below_unvalued: int = 0
    undecided: int = 0


def select(
    book: AnyBook,
    near: HealthBounds,
    unbounded: Iterable[int],
    watch: Watch,
    unit_worth: Callable[[str], float] = lambda _: 1.0,
) -> Selected:
    """Select among the accounts that may be below a threshold until the next block. `unbounded` rows have no
    usable bounds, and are always selected. `unit_worth` converts an account's own units into those in which
    all maintenances are compared."""
    low, high, rows = near.low, near.high, near.rows
    everyone = len(book.rows)
    undecided, chosen = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    below_any = np.zeros(len(rows), np.bool_)
    over: list[Rows] = []
    for threshold, level in watch.levels.items():
        for each in {level, watch.ends(threshold)}:
            undecided |= (low < _over(each)) & ~(high < _under(each))
        certain = high < _under(level)
        below_any |= certain
        # Who is certainly below and has no episode yet.
        open_rows = watch.open(threshold)
        chosen |= certain & ~_marked(everyone, open_rows)[rows]
        # Who has an open episode and is not certainly below where it ends.
        still = _marked(everyone, rows[high < _under(watch.ends(threshold))])
        over.append(open_rows[~still[open_rows]])
    if "liquidate" in watch.levels:
        breaching = np.flatnonzero(high < _under(watch.levels["liquidate"]))
        if len(breaching) > MOST_BREACHES:
            worth = [unit_worth(book.rows.account(int(row))) for row in rows[breaching]]
            required = near.maintenance[breaching] * np.array(worth)
            breaching = breaching[np.argsort(-required, kind="stable")[:MOST_BREACHES]]
        chosen[breaching] = True
    order = np.argsort(low, kind="stable")[:FOLLOWED]
    chosen[order] = True
    chosen |= undecided
    always = {*unbounded, *(row for a in watch.special for row in book.rows.of(a))}
    exact = _marked(everyone, rows[chosen], np.fromiter(always, np.int64), *over)
    others = int(np.count_nonzero(below_any & ~exact[rows]))
    return Selected(np.flatnonzero(exact), rows[order], others, int(undecided.sum()))


def _marked(everyone: int, *some: Rows) -> NDArray[np.bool_]:
    """By row, whether it is among some."""
    marked = np.zeros(everyone, np.bool_)
    for rows in some:
        marked[rows] = True
    return marked


def first_sample(accounts: Iterable[str]) -> list[str]:
    """Accounts compared at the start, spread evenly over all."""
    ordered = sorted(accounts)
    stride = max(len(ordered) // START_SAMPLE, 1)
    return ordered[::stride][:START_SAMPLE]


def next_sample(market: Market, memory: MarketMemory, protected: Sequence[str]) -> tuple[Sequence[str], int]:
    """The protected accounts, those nearest to 1, and the next in turn; and the row whose turn it is then."""
    size, rows = market.settings.audit_sample, market.book.rows
    chosen = dict.fromkeys(market.of(protected))
    chosen.update(dict.fromkeys(memory.nearest[: size // 2]))
    in_turn = size - size // 2
    for step in range(min(in_turn, len(rows))):
        chosen[rows.account((memory.turn + step) % len(rows))] = None
    return list(chosen), memory.turn + in_turn


def thresholds(watch: Watch) -> list[float]:
    """The levels that screening must tell apart, from both sides."""
    levels = [each for t, level in watch.levels.items() for each in (level, watch.ends(t))]
    return sorted({value for level in levels for value in (_under(level), _over(level))})


def _over(level: int) -> float:
    """A float above a level scaled 1e18, whatever its rounding."""
    return float(np.nextafter(level / WAD, np.inf)) + _ROUNDING


def _under(level: int) -> float:
    return float(np.nextafter(level / WAD, 0)) - _ROUNDING


def drift(now: Weights, then: Weights) -> float:
    """The largest share by which time alone changes any weight between two moments."""
    return max(_change(now.equity, then.equity), _change(now.maintenance, then.maintenance))


def _change(now: Floats, then: Floats) -> float:
    there = now > 0
    if not there.any():
        return 0.0
    # Two weights and their ratio are rounded; one that comes to nothing changes wholly.
    return float(np.max(np.abs(then[there] / now[there] - 1))) + 2.0**-50


def growth(share: float, *, signed: bool) -> float:
    """The ratio above a level within which a health may fall below it by the next block, where weights change
    by at most `share`. With signed equity what counts against it may be many times what is left."""
    return FAR if signed else min((1 + share) / max(1 - share, 0.5), FAR)
