"""Revaluing a whole book with certified bounds, all prices moved, against copying the arrays read."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from keeper.book.screening.bounds import Screen
from keeper.book.screening.columns import Columns
from keeper.protocols.aave_v3 import records
from scripts.bench import synthetic
from scripts.bench.copying import copying
from scripts.bench.result import Result

ACCOUNTS = 1_000_000
ROUNDS = 21


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    """Three positions an account, twelve assets; weights of each round are computed within it."""
    pool = synthetic.state(10)
    made = synthetic.records(pool, accounts)
    columns = Columns(records.entries)
    columns.update(range(len(made)), made)
    factors = sorted(columns.factors)
    screen = Screen(columns)
    dice = np.random.default_rng(1)
    moves = [dict(enumerate(dice.uniform(0.95, 1.05, 12).tolist())) for _ in range(ROUNDS)]
    markets = iter([synthetic.moved(pool, move) for move in [*moves, moves[0]]])

    def ours() -> None:
        screen.run(synthetic.weights(next(markets), synthetic.NOW, factors))

    seconds, floor = _median(ours), _median(copying(columns))
    undecided = int(((screen.low < 1) & (screen.high >= 1)).sum())
    return [
        {
            "name": f"revaluing {accounts:,} accounts × 12 assets, bounds included",
            "value": seconds * 1e3,
            "unit": "ms",
            "baseline": floor * 1e3,
            "ratio": seconds / floor,
            "aim": "at most 4 × copying the arrays read",
            "ok": seconds <= 4 * floor,
        },
        {
            "name": "of a normal book, valued twice",
            "value": 100 * undecided / accounts,
            "unit": "%",
            "baseline": None,
            "ratio": None,
            "aim": "at most 0.1 %",
            "ok": undecided <= accounts / 1000,
        },
    ]


def _median(work: Callable[[], None]) -> float:
    work()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))
