"""Screening of a whole book of perpetual accounts, all prices moved, against copying the arrays read: few
markets an account, and all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from keeper.book.entries import Entries, Sparse
from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.margin.rounding import WAD
from keeper.protocols.synthetix_v3 import screening
from keeper.protocols.synthetix_v3.lens import PerpsState
from keeper.protocols.synthetix_v3.records import PerpsAccount
from keeper.protocols.synthetix_v3.valuing import accrued, valued
from scripts.bench import synthetic_perps
from scripts.bench.copying import copying
from scripts.bench.result import Result
from scripts.bench.synthetic_perps import NOW, packed

ACCOUNTS = 1_000_000
MARKETS = 20
KINDS = 4_096
"""So many accounts are made one by one; the book is drawn from them, each row with arrays of its own."""
ROUNDS = 7


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    dice = np.random.default_rng(1)
    state = synthetic_perps.state(dice, MARKETS)
    few, all_ = range(1, 4), range(MARKETS, MARKETS + 1)
    return [
        _measured("screening_perps_sparse", state, dice, accounts, few, "1 to 3"),
        _measured("screening_perps_dense", state, dice, accounts, all_, f"all {MARKETS}"),
    ]


def _measured(
    name: str, state: PerpsState, dice: np.random.Generator, accounts: int, counts: range, words: str
) -> Result:
    places = screening.places()
    records = [packed(_account(state, dice, int(dice.choice(counts)))) for _ in range(KINDS)]
    made = screening.entries(records, places)
    columns = Columns(lambda found: _drawn(made, dice, len(found)))
    columns.update(range(accounts), [b""] * accounts)
    factors = sorted(columns.factors)
    screen = Screen(columns)

    def ours() -> None:
        screen.run(screening.weights(_moved(state, dice), NOW, factors, places))

    seconds, floor = _median(ours), _median(copying(columns))
    certain = float(((screen.low >= 1) | (screen.high < 1)).mean())
    return {
        "name": f"{name}: {accounts:,} accounts × {words} of {MARKETS} markets, {certain:.1%} certain",
        "value": seconds * 1e3,
        "unit": "ms",
        "baseline": floor * 1e3,
        "ratio": seconds / floor,
        "aim": "at most 4 × copying the arrays read",
        "ok": seconds <= 4 * floor,
    }


def _account(state: PerpsState, dice: np.random.Generator, count: int) -> PerpsAccount:
    """With so many positions and once to four times the margin that they require."""
    now = accrued(state, NOW)
    markets = dice.choice(list(state.perps), count, replace=False)
    held = tuple(synthetic_perps.position(state.perps[int(each)], now, dice) for each in markets)
    account = PerpsAccount(False, 0, ((0, WAD),), held)
    worth = valued(state, "a", account, now)
    missing = int(worth.maintenance * dice.uniform(1, 4)) - worth.equity
    stake = WAD + missing
    debt = max(WAD - stake, 0)
    return replace(account, collaterals=((0, max(stake, WAD)),), debt=debt)


def _drawn(made: Entries, dice: np.random.Generator, count: int) -> Entries:
    """Rows of those, chosen at random."""
    rows = dice.integers(made.equity.rows, size=count)
    equity, maintenance = (_rows(made, each, rows) for each in (made.equity, made.maintenance))
    return Entries(made.factor_count, equity, maintenance, made.unbounded[rows])


def _rows(made: Entries, side: Sparse, rows: NDArray[np.int64]) -> Sparse:
    matrix = csr_array((side.amounts, side.factors, side.starts), shape=(side.rows, made.factor_count))[rows]
    return Sparse(matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)


def _moved(state: PerpsState, dice: np.random.Generator) -> PerpsState:
    """All prices moved by up to a twentieth."""
    perps = {
        each.id: replace(each, price=int((each.price or 0) * dice.uniform(0.95, 1.05)))
        for each in state.perps.values()
    }
    return replace(state, perps=MappingProxyType(perps))


def _median(work: Callable[[], None]) -> float:
    work()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))
