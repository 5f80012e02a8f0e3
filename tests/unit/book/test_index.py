"""The price index names everyone whom a tick can matter to: identical to looking at all accounts."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from keeper.book.screening.columns import Columns
from keeper.book.screening.index import PriceIndex
from keeper.book.screening.near_threshold import NearThreshold
from keeper.margin.lending.aave import bounds, health
from keeper.margin.lending.aave.rules import BY_REVISION
from keeper.margin.lending.aave.state import AccountState, Position
from keeper.margin.lending.weights import Weights
from keeper.protocols.aave_v3 import records
from keeper.protocols.aave_v3.lens import PoolState
from scripts.bench import synthetic
from tests.unit.book.test_screening import packed

pytestmark = pytest.mark.unit

TICKS = 100_000 if os.environ.get("KEEPER_SOAK") else 1_500
ACCOUNTS = 80
THRESHOLDS = (1.0, 1.05, 1.1)
# Reserves by the leaf feed behind them: three derivatives of one, pairs, and some by themselves.
FEEDS = (0, 1, 2, 0, 2, 0, 3, 1, 4, 3, 5, 6)
WAD = 10**18


@dataclass
class Walk:
    """A market whose prices wander; blocks are `tick`s."""

    pool: PoolState
    made: list[bytes]
    dice: random.Random
    now: int = synthetic.NOW
    feed: list[float] = field(default_factory=lambda: [1.0] * 7)
    ratio: list[float] = field(default_factory=lambda: [1.0] * 12)
    columns: Columns = field(default_factory=lambda: Columns(records.entries))

    def __post_init__(self) -> None:
        self.columns.update(range(len(self.made)), self.made)

    def groups(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        groups = np.zeros(bounds.FACTORS, np.int32)
        for factor in self.columns.factors:
            category, reserve = divmod(factor, bounds.RESERVES)
            # The e-mode of 3.0.2 has a price of its own, which here nothing moves.
            own = category and self.pool.market.emodes[1].price and reserve in (0, 3)
            groups[factor] = 7 if own else FEEDS[reserve]
        return groups

    def tick(self) -> set[int]:
        """One feed moves, or several, or time passes, or an account changes: the rows that changed."""
        for _ in range(self.dice.choice((1, 1, 1, 3))):
            moved = self.dice.randrange(7)
            step = self.dice.gauss(0, self.dice.choice((1e-6, 1e-4, 1e-2)))
            self.feed[moved] = min(max(self.feed[moved] * (1 + step), 0.7), 1.4)
        if self.dice.random() < 0.1:
            drifting = self.dice.randrange(12)
            self.ratio[drifting] *= 1 + self.dice.gauss(0, 1e-5)
        self.now += self.dice.choice((0, 0, 12, 12, 3_600))
        if self.dice.random() < 0.9:
            return set()
        row = self.dice.randrange(len(self.made))
        self.made[row] = account(self.pool, self.dice)
        self.columns.update({row}, self.made)
        return {row}

    def market(self) -> PoolState:
        factors = {i: self.feed[FEEDS[i]] * self.ratio[i] for i in range(12)}
        return synthetic.moved(self.pool, factors)

    def weights(self) -> Weights:
        return synthetic.weights(self.market(), self.now, sorted(self.columns.factors))

    def healths(self) -> list[int]:
        market = health.accrue(self.market().market, self.now, BY_REVISION[self.pool.revision])
        return [health.account_data(records.decode(each), market).health for each in self.made]


def account(pool: PoolState, dice: random.Random) -> bytes:
    """Someone near a threshold; now and then with collateral and debt of one asset, or of one feed."""
    kind = dice.random()
    held, owed = dice.sample(range(12), 2)
    if kind < 0.15:
        held, owed = dice.sample((0, 3, 5), 2)
    category = int(dice.random() < 0.2)
    factors = [bounds.factor(i, category) for i in range(12)]
    weights = synthetic.weights(pool, synthetic.NOW, factors)
    worth = 10 ** dice.uniform(9, 13)
    target = dice.choice(THRESHOLDS) * (1 + dice.choice((1e-7, 1e-4, 0.01, 0.1)) * dice.uniform(-1, 1.5))
    collateral = int(worth / weights.equity[factors[held]])
    debt = int(worth / target / weights.maintenance[factors[owed]])
    positions = {held: (collateral, 0), owed: (0, debt)}
    if kind > 0.9:
        # A loop: the same asset on both sides.
        positions = {held: (collateral, int(worth / target / weights.maintenance[factors[held]]))}
    bits = sum((2 * (c > 0) | (d > 0)) << 2 * i for i, (c, d) in positions.items())
    return packed(AccountState(category, bits, tuple(Position(i, *positions[i]) for i in sorted(positions))))


@pytest.fixture(params=[1, 10], ids=["3.0.2", "3.6"])
def walk(request: pytest.FixtureRequest) -> Walk:
    dice = random.Random(11)
    pool = synthetic.state(request.param)
    return Walk(pool, [account(pool, dice) for _ in range(ACCOUNTS)], dice)


def test_candidates_are_all_that_brute_force_finds(walk: Walk) -> None:
    """After every tick each account that is called certain is between the very thresholds it should be."""
    index = PriceIndex(walk.columns, walk.groups(), THRESHOLDS)
    index.build(walk.weights())
    limits = [int(t * WAD) for t in sorted(THRESHOLDS)]
    named = certain = crossed = 0
    before = [sum(each >= limit for limit in limits) for each in walk.healths()]
    for _ in range(TICKS):
        changed = walk.tick()
        weights = walk.weights()
        rows = index.candidates(weights)
        wanted = set() if rows is None else set(rows.tolist()) | changed
        if rows is None:
            index = PriceIndex(walk.columns, walk.groups(), THRESHOLDS)
            index.build(weights)
        else:
            index.renew(np.array(sorted(wanted), np.int64), weights)
        named += len(wanted)
        above = [sum(each >= limit for limit in limits) for each in walk.healths()]
        crossed += sum(a != b for a, b in zip(above, before, strict=True))
        before = above
        for row, (cell, count) in enumerate(zip(index.cell.tolist(), above, strict=True)):
            certain += cell >= 0
            assert cell in (-1, count), row
    assert certain > 0.8 * TICKS * ACCOUNTS
    assert named < 0.6 * TICKS * ACCOUNTS
    assert crossed > TICKS // 20


def test_new_boxes_go_through_all_layers_without_losing_anyone(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for few recent boxes they are sorted in, and joined with the others, at almost every tick."""
    monkeypatch.setattr("keeper.book.screening.index.RECENT", 8)
    monkeypatch.setattr("keeper.book.screening.index._JOINED_AT", 3)
    index = PriceIndex(walk.columns, walk.groups(), THRESHOLDS)
    index.build(walk.weights())
    limits = [int(t * WAD) for t in sorted(THRESHOLDS)]
    kept = 0
    for _ in range(TICKS // 5):
        changed = walk.tick()
        weights = walk.weights()
        rows = index.candidates(weights)
        if rows is None:
            index.build(weights)
        else:
            assert len(set(rows.tolist())) == len(rows)
            index.renew(np.array(sorted(set(rows.tolist()) | changed), np.int64), weights)
            kept += 1
        above = [sum(each >= limit for limit in limits) for each in walk.healths()]
        for row, (cell, count) in enumerate(zip(index.cell.tolist(), above, strict=True)):
            assert cell in (-1, count), row
    assert kept > TICKS // 10


def test_an_index_whose_renewal_failed_is_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom it had named it would not name again."""
    pool = synthetic.state(10)
    walk = Walk(pool, synthetic.records(pool, 2_000), random.Random(1))
    standing, groups = NearThreshold(walk.columns, least_accounts=0), walk.groups()
    standing.near(walk.weights(), (), THRESHOLDS, groups)
    standing.near(walk.weights(), (0,), THRESHOLDS, groups)
    assert standing.passes == 1

    def fails(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(PriceIndex, "renew", fails)
        with pytest.raises(MemoryError):
            standing.near(walk.weights(), (0,), THRESHOLDS, groups)
    standing.near(walk.weights(), (), THRESHOLDS, groups)
    assert standing.passes == 2


def test_whoever_is_below_is_near(walk: Walk) -> None:
    """The same through what the keeper uses, which may also value all, and rebuilds when it must."""
    standing = NearThreshold(walk.columns, least_accounts=0)
    limits = [int(t * WAD) for t in THRESHOLDS]
    for _ in range(TICKS // 3):
        changed = walk.tick()
        near = standing.near(walk.weights(), changed, THRESHOLDS, walk.groups())
        found = dict(zip(near.rows.tolist(), zip(near.low, near.high, strict=True), strict=True))
        for row, each in enumerate(walk.healths()):
            if each < max(limits):
                assert row in found
            if row in found:
                low, high = found[row]
                assert low <= each / WAD * (1 + 1e-15)
                assert each / WAD <= high * (1 + 1e-15)
    assert standing.passes < standing.ticks / 2


@pytest.mark.parametrize("revision", [1, 10])
def test_a_new_threshold_of_a_reserve_is_noticed(revision: int) -> None:
    """What governance changes moves the clock, or has all boxes made anew."""
    pool, dice = synthetic.state(revision), random.Random(3)
    walk = Walk(pool, [account(pool, dice) for _ in range(ACCOUNTS)], dice)
    standing = NearThreshold(walk.columns, least_accounts=0)
    standing.near(walk.weights(), (), THRESHOLDS, walk.groups())
    reserve = pool.market.reserves[0]
    lower = replace(reserve, configuration=reserve.configuration & ~(0xFFFF << 16) | 4_000 << 16)
    walk.pool = replace(pool, market=replace(pool.market, reserves={**pool.market.reserves, 0: lower}))
    near = standing.near(walk.weights(), (), THRESHOLDS, walk.groups())
    below = {row for row, each in enumerate(walk.healths()) if each < WAD}
    assert below <= set(near.rows.tolist())
    assert below


def test_interest_alone_makes_candidates_in_time() -> None:
    """No price moves: boxes expire before interest takes anyone across."""
    pool, dice = synthetic.state(10), random.Random(5)
    walk = Walk(pool, [account(pool, dice) for _ in range(ACCOUNTS)], dice)
    standing = NearThreshold(walk.columns, least_accounts=0)
    fell = 0
    start = sum(each < WAD for each in walk.healths())
    for _ in range(200):
        walk.now += 30 * 86_400 // 10
        near = standing.near(walk.weights(), (), THRESHOLDS, walk.groups())
        below = {row for row, each in enumerate(walk.healths()) if each < WAD}
        assert below <= set(near.rows.tolist())
        fell = len(below) - start
    assert fell > 3
