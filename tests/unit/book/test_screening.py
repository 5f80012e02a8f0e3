"""Bounds are certified: the exact health lies between them, on the edge and for accounts of any kind."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.margin.lending.aave import health
from keeper.margin.lending.aave.rules import BY_REVISION
from keeper.margin.lending.aave.state import NO_DEBT_HEALTH, AccountState, Position
from keeper.protocols.aave_v3 import records
from keeper.protocols.aave_v3.lens import PoolState
from scripts.bench import synthetic

pytestmark = pytest.mark.unit

SOAK = bool(os.environ.get("KEEPER_SOAK"))
ON_THE_EDGE = 10_000_000 if SOAK else 30_000
CHUNK = 50_000
REVISIONS = {"3.0.2": 1, "3.3": 7, "3.6": 10}


@pytest.fixture(params=REVISIONS.values(), ids=list(REVISIONS))
def pool(request: pytest.FixtureRequest) -> PoolState:
    return synthetic.state(request.param)


def _screen(pool: PoolState, made: list[bytes], timestamp: int = synthetic.NOW) -> Screen:
    columns = Columns(records.entries)
    columns.update(range(len(made)), made)
    screen = Screen(columns)
    screen.run(synthetic.weights(pool, timestamp, sorted(columns.factors)))
    return screen


def _exact(pool: PoolState, made: list[bytes], timestamp: int = synthetic.NOW) -> list[int]:
    market = health.accrue(pool.market, timestamp, BY_REVISION[pool.revision])
    return [health.account_data(records.decode(each), market).health for each in made]


def _holds(screen: Screen, exact: list[int]) -> None:
    """No exact health lies outside its bounds."""
    real = np.array([np.inf if each == NO_DEBT_HEALTH else each / 10**18 for each in exact])
    by_place = real[screen.rows]
    slack = 2e-18 + by_place * 2.0**-53
    with np.errstate(invalid="ignore"):
        assert not (by_place + slack < screen.low).any()
        assert not (by_place - slack > screen.high).any()


def test_no_account_on_the_edge_is_called_safe_that_is_not(pool: PoolState) -> None:
    """Crowded around health 1, by parts in 1e9 and less: who is below is so by the bounds too, or open."""
    seen = below = open_ = 0
    for seed in range(max(ON_THE_EDGE // CHUNK // len(REVISIONS), 1)):
        made = synthetic.records(pool, min(CHUNK, ON_THE_EDGE), synthetic.EDGE, seed)
        screen, exact = _screen(pool, made), np.array(_exact(pool, made), object)
        _holds(screen, list(exact))
        under = np.array([each < 10**18 for each in exact])[screen.rows]
        assert not (under & (screen.low >= 1)).any()
        assert not (~under & (screen.high < 1)).any()
        seen, below = seen + len(made), below + int(under.sum())
        open_ += int(((screen.low < 1) & (screen.high >= 1)).sum())
    assert 0.2 * seen < below < 0.97 * seen
    if not BY_REVISION[pool.revision].averages_threshold:
        assert open_ < seen, "bounds so wide decide nothing"


def test_bounds_hold_on_a_normal_book_and_leave_few_open(pool: PoolState) -> None:
    made = synthetic.records(pool, 1_000_000 if SOAK else 200_000)
    screen = _screen(pool, made)
    open_ = (screen.low < 1) & (screen.high >= 1)
    assert open_.sum() <= len(made) // 1000
    some = made[:20_000]
    _holds(_screen(pool, some), _exact(pool, some))


def test_truncated_average_thresholds_are_inside_the_bounds() -> None:
    """The rules that make health non-monotone: a rise of a price can take an account below 1."""
    pool = synthetic.state(1)
    made = synthetic.records(pool, 20_000, synthetic.EDGE, 5)
    steps = [synthetic.moved(pool, {0: factor}) for factor in np.linspace(0.999, 1.001, 9).tolist()]
    fell = 0
    before = np.array(_exact(steps[0], made), float)
    for step in steps:
        exact = _exact(step, made)
        _holds(_screen(step, made), exact)
        held = np.array([records.decode(each).uses_as_collateral(0) for each in made])
        fell += int(((np.array(exact, float) < before) & held).sum())
        before = np.array(exact, float)
    assert fell, "otherwise this shows nothing of the non-monotone"


@pytest.mark.parametrize("seconds", [0, 12, 86_400, 3 * 365 * 86_400])
def test_bounds_hold_after_interest(pool: PoolState, seconds: int) -> None:
    made = synthetic.records(pool, 5_000, synthetic.EDGE, 7, synthetic.NOW + seconds)
    at = synthetic.NOW + seconds
    _holds(_screen(pool, made, at), _exact(pool, made, at))


def test_dust_is_inside_the_absolute_term(pool: PoolState) -> None:
    """Positions of one to a thousand units, where a rounding is much of the whole."""
    dice = np.random.default_rng(3)
    made = []
    for _ in range(4_000):
        ids = sorted(dice.choice(12, 3, replace=False).tolist())
        amounts = [int(x) for x in 10 ** dice.uniform(0, 8, 3)]
        positions = (
            Position(ids[0], amounts[0], 0),
            Position(ids[1], amounts[1], amounts[1] // 3),
            Position(ids[2], 0, amounts[2]),
        )
        bits = 2 << 2 * ids[0] | 3 << 2 * ids[1] | 1 << 2 * ids[2]
        made.append(packed(AccountState(0, bits, positions)))
    _holds(_screen(pool, made), _exact(pool, made))


def test_an_account_in_a_hundred_reserves(pool: PoolState) -> None:
    wide = synthetic.state(pool.revision, reserves=110)
    positions = tuple(Position(i, 10**20 + i, 10**19 if i % 3 == 0 else 0) for i in range(100))
    bits = sum((2 | (i % 3 == 0)) << 2 * i for i in range(100))
    account = AccountState(0, bits, positions)
    made = [packed(account), *synthetic.records(wide, 500)]
    assert records.decode(made[0]) == account
    _holds(_screen(wide, made), _exact(wide, made))


def test_a_token_too_coarse_for_bounds_leaves_its_holders_without_bounds(pool: PoolState) -> None:
    """One unit of a token without decimals may be worth an account: nobody's bounds are widened for it."""
    reserve = pool.market.reserves[2]
    coarse = replace(reserve, configuration=reserve.configuration & ~(0xFF << 48))
    reserves = {**pool.market.reserves, 2: coarse}
    changed = replace(pool, market=replace(pool.market, reserves=reserves))
    made = synthetic.records(pool, 1_000)
    columns = Columns(records.entries)
    columns.update(range(len(made)), made)
    weights = synthetic.weights(changed, synthetic.NOW, sorted(columns.factors))
    holders = {
        row for row, each in enumerate(made) if any(p.reserve_id == 2 for p in records.decode(each).positions)
    }
    assert columns.rows_with(weights.unbounded) == holders


def test_stable_debt_leaves_a_row_without_bounds() -> None:
    account = AccountState(0, 0b0110, (Position(0, 0, 5, 10**18, 10**25, 7), Position(1, 10**18, 0)))
    plain = AccountState(0, 0b10, (Position(0, 10**18, 0),))
    made = [packed(account), packed(plain)]
    assert [records.decode(each) for each in made] == [account, plain]
    columns = Columns(records.entries)
    columns.update(range(2), made)
    assert columns.unbounded == {0}
    assert +Counter(records.sums(made)) == {"collateral:0": 10**18, "collateral:1": 10**18, "debt:0": 5}


def packed(account: AccountState) -> bytes:
    """An account as the lens packs it."""
    out = bytes([account.emode, len(account.positions)]) + account.configuration.to_bytes(32, "big")
    for each in account.positions:
        flags = account.uses_as_collateral(each.reserve_id) + 2 * account.borrows(each.reserve_id)
        stable = 4 if each.stable_principal else 0
        out += bytes([each.reserve_id, flags | stable])
        out += each.scaled_collateral.to_bytes(16, "big") + each.scaled_debt.to_bytes(16, "big")
        if stable:
            out += each.stable_principal.to_bytes(16, "big") + each.stable_rate.to_bytes(16, "big")
            out += each.stable_since.to_bytes(5, "big")
    return out
