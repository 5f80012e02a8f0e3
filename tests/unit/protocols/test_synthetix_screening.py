"""Screening of perps accounts: nobody who can be liquidated is called safe, whatever prices and time do."""

from __future__ import annotations

import os
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.book.screening.near_threshold import NearThreshold
from keeper.margin.lending.weights import Weights
from keeper.margin.rounding import WAD
from keeper.protocols.synthetix_v3 import records, screening
from keeper.protocols.synthetix_v3.lens import PerpsState
from keeper.protocols.synthetix_v3.records import PerpsAccount, Position
from keeper.protocols.synthetix_v3.valuing import accrued, valued
from scripts.bench import synthetic_perps
from scripts.bench.synthetic_perps import NOW, packed

pytestmark = pytest.mark.unit

SOAK = bool(os.environ.get("KEEPER_SOAK"))
ACCOUNTS = 60_000 if SOAK else 1_500
TICKS = 2_000 if SOAK else 60
EDGE = (0.0, 1e-15, 1e-9, 1e-3, 0.2, 1.0)
LEVELS = (1.0, 1.05, 1.1)


def crowded(state: PerpsState, dice: np.random.Generator, count: int) -> list[PerpsAccount]:
    """Accounts long and short whose margin is just what is required, and a little more or less."""
    now, found = accrued(state, NOW), []
    for _ in range(count):
        open_ = dice.choice(list(state.perps), int(dice.integers(1, 5)), replace=False)
        held = tuple(synthetic_perps.position(state.perps[int(each)], now, dice) for each in open_)
        account = PerpsAccount(False, 0, ((0, 10**12),), held)
        for _ in range(3):
            worth = valued(state, "a", account, now)
            missing = worth.maintenance - worth.equity
            dollars = dict(account.collaterals)[0] + missing
            if dollars > 0:
                account = replace(account, collaterals=((0, dollars),), debt=0)
            else:
                account = replace(account, collaterals=((0, 10**9),), debt=10**9 - dollars)
        apart = float(dice.choice(EDGE)) * float(dice.normal())
        more = int(worth.maintenance * apart)
        stake = dict(account.collaterals)[0] + more
        found.append(replace(account, collaterals=((0, max(stake, 1)),)))
    return found


class Screened:
    """Accounts in columns, as the market's adapter has them."""

    def __init__(self, accounts: list[PerpsAccount]) -> None:
        self.places = screening.places()
        self.accounts, self.records = accounts, [packed(each) for each in accounts]
        self.columns = Columns(lambda found: screening.entries(found, self.places))
        self.columns.update(range(len(accounts)), self.records)

    def weights(self, state: PerpsState, timestamp: int) -> Weights:
        return screening.weights(state, timestamp, sorted(self.columns.factors), self.places)

    def due(self, state: PerpsState, timestamp: int) -> set[int]:
        now = accrued(state, timestamp)
        return {i for i, each in enumerate(self.accounts) if valued(state, "a", each, now).liquidatable}


def test_a_record_comes_back_as_it_was_packed() -> None:
    dice = np.random.default_rng(1)
    for account in crowded(synthetic_perps.state(dice, 6), dice, 30):
        assert records.decode(packed(account)) == account


@pytest.mark.parametrize("seed", [2, 3])
def test_whoever_can_be_liquidated_is_never_called_safe(seed: int) -> None:
    dice = np.random.default_rng(seed)
    state = synthetic_perps.state(dice, 6)
    at = Screened(crowded(state, dice, ACCOUNTS))
    screen = Screen(at.columns)
    screen.run(at.weights(state, NOW))
    safe = set(screen.rows[screen.low >= np.nextafter(1.0, 2.0)].tolist())
    due = at.due(state, NOW)
    assert not due & safe
    assert 0.3 * ACCOUNTS < len(due) < 0.7 * ACCOUNTS


def test_bounds_call_most_of_the_healthy_safe() -> None:
    dice = np.random.default_rng(4)
    state = synthetic_perps.state(dice, 6)
    now = accrued(state, NOW)
    rich = []
    for account in crowded(state, dice, 400):
        worth = valued(state, "a", account, now)
        more = max(3 * worth.maintenance - worth.equity, 0)
        rich.append(replace(account, collaterals=((0, dict(account.collaterals)[0] + more),)))
    at = Screened(rich)
    screen = Screen(at.columns)
    screen.run(at.weights(state, NOW))
    assert (screen.low > 1.1).mean() > 0.9


def test_prices_up_and_down_funding_and_interest_are_in_the_index() -> None:
    dice = np.random.default_rng(5)
    state = synthetic_perps.state(dice, 6)
    at = Screened(crowded(state, dice, 250))
    groups = np.zeros(screening.FACTORS, np.int32)
    for factor in at.columns.factors:
        found = at.places.market(factor)
        groups[factor] = 0 if found is None else 1 + at.places.ids.index(found)
    near_threshold = NearThreshold(at.columns, least_accounts=0)
    named = 0
    for tick in range(TICKS):
        timestamp = NOW + 12 * tick
        perps = dict(state.perps)
        moved = perps[int(dice.choice(list(perps)))]
        assert moved.price is not None
        perps[moved.id] = replace(moved, price=int(moved.price * (1 + dice.normal(0, 1e-3))))
        state = replace(state, perps=MappingProxyType(perps))
        now, then = (at.weights(state, when) for when in (timestamp, timestamp + 12))
        drift = _drift(now, then)
        near = near_threshold.near(replace(now, drift=drift), [], LEVELS, groups)
        assert at.due(state, timestamp) | at.due(state, timestamp + 12) <= set(near.rows.tolist())
        named += len(near.rows)
    assert named < TICKS * len(at.accounts), "the index names only some"


def _drift(now: Weights, then: Weights) -> float:
    most = 0.0
    for before, after in ((now.equity, then.equity), (now.maintenance, then.maintenance)):
        there = before > 0
        most = max(most, float(np.abs(after[there] / before[there] - 1).max()))
    return most


@pytest.mark.parametrize(
    "account",
    [
        PerpsAccount(True, 0, (), (Position(100, WAD, WAD, 0, 0),)),
        PerpsAccount(False, 0, ((1, WAD),), (Position(100, WAD, WAD, 0, 0),)),
        PerpsAccount(False, 5, ((0, 4),)),
    ],
    ids=["flagged", "a synth", "debt alone"],
)
def test_what_no_sum_bounds_is_valued_exactly(account: PerpsAccount) -> None:
    found = screening.entries([packed(account)], screening.places())
    assert found.unbounded.tolist() == [True]
