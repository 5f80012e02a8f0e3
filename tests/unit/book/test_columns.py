"""Columns follow their records: whatever changes, in place or not, they are as if laid out anew."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from keeper.book.screening.columns import Columns
from keeper.margin.lending.aave.state import AccountState, Position
from keeper.protocols.aave_v3 import records
from tests.unit.book.test_screening import packed

pytestmark = pytest.mark.unit


def _random(dice: random.Random) -> bytes:
    ids = sorted(dice.sample(range(8), dice.randint(0, 4)))
    bits, positions = 0, []
    for i in ids:
        collateral, debt = dice.choice(((1, 0), (0, 1), (1, 1)))
        bits |= (debt | collateral << 1) << 2 * i
        positions.append(Position(i, collateral * dice.randint(0, 10**30), debt * dice.randint(1, 10**25)))
    return packed(AccountState(dice.randint(0, 2), bits, tuple(positions)))


def _by_row(columns: Columns, rows: int) -> tuple[list[float], list[float]]:
    weights = 1 + np.arange(columns.blocks[0].equity.shape[1], dtype=float)
    equity, maintenance = [0.0] * rows, [0.0] * rows
    for block in columns.blocks:
        for place, row in enumerate(block.rows.tolist()):
            if row >= 0:
                equity[row] = float((block.equity @ weights)[place])
                maintenance[row] = float((block.maintenance @ weights)[place])
    return equity, maintenance


def test_changes_leave_what_laying_out_anew_would() -> None:
    dice = random.Random(4)
    made = [_random(dice) for _ in range(400)]
    columns = Columns(records.entries)
    columns.update(range(len(made)), made)
    for _ in range(60):
        changed = set(dice.sample(range(len(made)), 10))
        for row in changed:
            made[row] = _random(dice)
        for _ in range(dice.randint(0, 2)):
            changed.add(len(made))
            made.append(_random(dice))
        columns.update(changed, made)
        anew = Columns(records.entries)
        anew.update(range(len(made)), made)
        assert _by_row(columns, len(made)) == _by_row(anew, len(made))
        rows = np.array(sorted(changed))
        weights = np.ones(columns.blocks[0].equity.shape[1])
        equity, maintenance = columns.of(rows)
        found = equity.weighed(weights, len(rows)) + maintenance.weighed(weights, len(rows))
        expected = [
            sum(float(p.scaled_collateral) + float(p.scaled_debt) for p in records.decode(made[r]).positions)
            for r in rows
        ]
        assert np.allclose(found, expected, rtol=1e-15)


def test_sums_are_exact_whatever_their_size() -> None:
    made = [packed(AccountState(0, 3, (Position(0, 2**128 - 1 - i, 2**127 + i),))) for i in range(1_000)]
    expected = {
        "collateral:0": sum(2**128 - 1 - i for i in range(1_000)),
        "debt:0": sum(2**127 + i for i in range(1_000)),
    }
    assert records.sums(made) == expected
    assert +Counter(records.sums(made[:50])) == Counter(
        {name: sum(Counter(records.sums([each]))[name] for each in made[:50]) for name in expected}
    )
