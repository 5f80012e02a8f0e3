"""Values taken straight from records are those of the arithmetic that parity holds against the contracts."""

from __future__ import annotations

import random

import pytest

from keeper.margin.lending.aave import health
from keeper.margin.lending.aave.rules import BY_REVISION
from keeper.margin.lending.aave.state import AccountState, Position
from keeper.protocols.aave_v3 import records
from keeper.protocols.aave_v3.valuing import RecordValuer
from scripts.bench import synthetic
from tests.unit.book.test_screening import packed

pytestmark = pytest.mark.unit


def _account(dice: random.Random) -> AccountState:
    bits, positions = 0, []
    for i in sorted(dice.sample(range(12), dice.randint(0, 6))):
        flags = dice.choice((0, 1, 2, 3))
        bits |= (flags >> 1 | (flags & 1) << 1) << 2 * i
        if not flags:
            continue
        stable = (
            (10 ** dice.randint(0, 24), 10**25, synthetic.NOW - 5)
            if flags & 2 and dice.random() < 0.1
            else ()
        )
        collateral = int(10 ** dice.uniform(0, 26)) if flags & 1 else 0
        debt = dice.choice((0, int(10 ** dice.uniform(0, 26)))) if flags & 2 else 0
        positions.append(Position(i, collateral, debt, *stable))
    return AccountState(dice.choice((0, 0, 1)), bits, tuple(positions))


@pytest.mark.parametrize("revision", sorted(BY_REVISION))
def test_records_and_objects_have_the_same_values(revision: int) -> None:
    dice, pool = random.Random(revision), synthetic.state(revision)
    market = health.accrue(pool.market, synthetic.NOW + 86_400, BY_REVISION[revision])
    valuer = RecordValuer(market)
    for _ in range(1_000):
        account = _account(dice)
        record = packed(account)
        assert records.decode(record) == account
        assert valuer.value(record) == health.account_data(account, market)
