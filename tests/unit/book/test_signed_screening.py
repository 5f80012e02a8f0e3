"""Bounds and price index of accounts long and short: nobody below a level is called above it."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from keeper.book.entries import Ints
from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.book.screening.index import PriceIndex
from keeper.book.screening.near_threshold import NearThreshold
from keeper.service.watching import selection
from keeper.service.watching.selection import Watch
from tests.support import linear_accounts
from tests.support.linear_accounts import CASH, MARKETS, UNIT, LinearAccounts, crowd, is_below

pytestmark = pytest.mark.unit

SOAK = bool(os.environ.get("KEEPER_SOAK"))
ON_THE_EDGE = 10_000_000 if SOAK else 30_000
CHUNK = min(ON_THE_EDGE, 50_000)
TICKS = 20_000 if SOAK else 400
LEVELS = (UNIT, 105 * UNIT // 100, 11 * UNIT // 10)
WATCH = Watch(levels={"liquidate": LEVELS[0], "top_up": LEVELS[1], "warn": LEVELS[2]})
THRESHOLDS = selection.thresholds(WATCH)
EDGE = (1e-15, 1e-12, 1e-9, 1e-4)


def columns_of(made: LinearAccounts) -> Columns:
    columns = Columns(made.entries)
    columns.update(range(len(made.cash)), made.records())
    return columns


def groups() -> Ints:
    """Each market has a feed of its own; cash has one that never moves."""
    return np.arange(MARKETS + 1, dtype=np.int32)


@pytest.mark.parametrize("level", LEVELS)
def test_no_account_on_the_edge_is_called_above_that_is_below(level: int) -> None:
    dice = np.random.default_rng(level % 1_000 + 1)
    seen = below = open_ = 0
    for _ in range(max(ON_THE_EDGE // CHUNK // len(LEVELS), 1)):
        now = linear_accounts.prices(dice)
        made = crowd(dice, CHUNK, now, level, apart=EDGE)
        screen = Screen(columns_of(made))
        screen.run(linear_accounts.weights(now))
        under = is_below(made.equity(now), made.maintenance(now), level)[screen.rows]
        real = level / UNIT
        certainly_above = screen.low >= np.nextafter(real, np.inf)
        certainly_below = screen.high < np.nextafter(real, 0)
        assert not (under & certainly_above).any()
        assert not (~under & certainly_below).any()
        seen, below = seen + CHUNK, below + int(under.sum())
        open_ += int((~certainly_above & ~certainly_below).sum())
    assert 0.2 * seen < below < 0.8 * seen
    assert open_ < 0.7 * seen, "bounds so wide decide nothing"


def test_bounds_leave_few_open_where_few_are_on_the_edge() -> None:
    dice = np.random.default_rng(9)
    now = linear_accounts.prices(dice)
    made = crowd(dice, 20_000, now, UNIT, apart=(0.1, 1.0))
    # Whoever is within some units of nothing is on the edge indeed.
    made.cash = made.cash + abs(made.cash) // 1_000_000
    screen = Screen(columns_of(made))
    screen.run(linear_accounts.weights(now))
    assert ((screen.low < 1) & (screen.high >= 1)).mean() < 0.01


def test_of_whom_nothing_is_required_nobody_is_below() -> None:
    """Neither with cash nor with debts alone; who has less than nothing and must have more is below all."""
    sizes = np.zeros((3, MARKETS), object)
    sizes[2, 0] = 10**20
    made = LinearAccounts(np.array([10**20, -(10**20), -(10**25)], object), sizes)
    now = [UNIT] * MARKETS
    columns = columns_of(made)
    assert columns.signed
    screen = Screen(columns)
    screen.run(linear_accounts.weights(now))
    assert screen.low[:2].tolist() == screen.high[:2].tolist() == [np.inf, np.inf]
    assert (screen.low[2], screen.high[2]) == (0.0, 0.0)
    assert screen.of(np.array([2, 0]), linear_accounts.weights(now)).high.tolist() == [0.0, np.inf]


def test_what_time_alone_takes_is_in_the_bounds() -> None:
    """Weights of the next block by funding and the like, each changed by another share, in any direction."""
    dice = np.random.default_rng(3)
    fell = 0
    for _ in range(20):
        now = linear_accounts.prices(dice)
        made = crowd(dice, 500, now, UNIT, apart=(1e-9, 1e-6))
        then = [price + int(price * dice.uniform(-1e-7, 1e-7)) for price in now]
        weights = linear_accounts.weights(now)
        drift = selection.drift(weights, linear_accounts.weights(then))
        assert 0 < drift < 1.1e-7
        screen = Screen(columns_of(made))
        screen.run(replace(weights, drift=drift))
        later = is_below(made.equity(then), made.maintenance(then), UNIT)[screen.rows]
        assert not (later & (screen.low >= 1)).any()
        fell += int((later & ~is_below(made.equity(now), made.maintenance(now), UNIT)[screen.rows]).sum())
    assert fell > 100, "otherwise this shows nothing"


def test_the_index_names_whom_a_fall_breaks_and_whom_a_rise() -> None:
    """After each tick whoever is called certain lies between the levels it should, by brute force."""
    dice = np.random.default_rng(11)
    now = linear_accounts.prices(dice)
    made = crowd(dice, 300, now, UNIT, apart=(1e-4, 1e-2, 0.2))
    index = PriceIndex(columns_of(made), groups(), THRESHOLDS)
    index.build(linear_accounts.weights(now))
    certain = named = rose = fell = 0
    before = is_below(made.equity(now), made.maintenance(now), UNIT)
    start = list(now)
    for _ in range(TICKS):
        moved, step = int(dice.integers(MARKETS)), dice.normal(0, dice.choice((1e-5, 1e-3, 1e-2)))
        factor = min(max(now[moved] * (1 + step) / start[moved], 0.7), 1.4)
        up = int(start[moved] * factor) > now[moved]
        now[moved] = int(start[moved] * factor)
        weights = linear_accounts.weights(now)
        rows = index.candidates(weights)
        assert rows is not None
        index.renew(rows, weights)
        named += len(rows)
        equity, maintenance = made.equity(now), made.maintenance(now)
        below = is_below(equity, maintenance, UNIT)
        rose, fell = rose + int((below & ~before).sum()) * up, fell + int((below & ~before).sum()) * (not up)
        before = below
        # Where a row is certain, no threshold lies between its level and what the index says.
        for level in LEVELS:
            under = is_below(equity, maintenance, level)
            lower, upper = (
                THRESHOLDS.index(each) for each in selection.thresholds(Watch({"liquidate": level}))
            )
            assert not (under & (index.cell > upper)).any()
            assert not (~under & (index.cell >= 0) & (index.cell <= lower)).any()
        certain += int((index.cell >= 0).sum())
    assert rose > 20 and fell > 20, "breaks in both directions"
    assert certain > 0.8 * TICKS * len(made.cash)
    assert named < 0.5 * TICKS * len(made.cash)


def test_whoever_is_below_is_near_whatever_moves() -> None:
    """Through what the keeper uses: prices, time and stakes change, and all is built anew where it must."""
    dice = np.random.default_rng(5)
    now = linear_accounts.prices(dice)
    made = crowd(dice, 300, now, UNIT, apart=(1e-3, 0.2, 1.0))
    columns = columns_of(made)
    near_threshold = NearThreshold(columns, least_accounts=0)
    for tick in range(TICKS // 2):
        moved = int(dice.integers(MARKETS))
        now[moved] = int(now[moved] * (1 + dice.normal(0, 1e-4)))
        changed: list[int] = []
        if tick % 10 == 0:
            row = int(dice.integers(len(made.cash)))
            made.cash[row] += int(dice.normal(0, 1e-2) * int(abs(made.cash[row])))
            made.sizes[row, moved] = -made.sizes[row, moved]
            changed = [row]
            columns.update(changed, made.records())
        weights = replace(linear_accounts.weights(now), drift=2e-5 if tick % 40 == 0 else 1e-8)
        near = near_threshold.near(weights, changed, THRESHOLDS, groups())
        under = is_below(made.equity(now), made.maintenance(now), max(LEVELS))
        assert set(np.flatnonzero(under).tolist()) <= set(near.rows.tolist())
    assert near_threshold.passes < near_threshold.ticks / 2


def test_a_book_with_longs_alone_takes_no_account_of_signs() -> None:
    made = LinearAccounts(np.array([5, 7], object), np.abs(np.array([[3] * MARKETS, [0] * MARKETS], object)))
    assert not columns_of(made).signed
    made.cash[1] = -7
    assert columns_of(made).signed
    assert CASH in columns_of(made).factors
