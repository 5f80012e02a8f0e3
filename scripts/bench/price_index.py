"""A tick of one feed through the price index: finding its candidates, and confirming them exactly."""

from __future__ import annotations

import time

import numpy as np

from keeper.book.screening.columns import Columns
from keeper.book.screening.index import PriceIndex
from keeper.margin.lending.aave import bounds, health
from keeper.margin.lending.aave.rules import BY_REVISION
from keeper.protocols.aave_v3 import records
from keeper.protocols.aave_v3.valuing import RecordValuer
from scripts.bench import synthetic
from scripts.bench.result import Result

ACCOUNTS = 1_000_000
TICKS = 1_000
CANDIDATES = 100
THRESHOLDS = (1.0,)


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    """Ticks are of one feed, of the size that leaves about a hundred boxes; each candidate gets a new box."""
    pool = synthetic.state(10)
    made = synthetic.records(pool, accounts)
    columns = Columns(records.entries)
    columns.update(range(len(made)), made)
    factors = sorted(columns.factors)
    groups = np.zeros(bounds.FACTORS, np.int32)
    groups[factors] = np.array(factors) % bounds.RESERVES
    index = PriceIndex(columns, groups, THRESHOLDS)
    started = time.perf_counter()
    index.build(synthetic.weights(pool, synthetic.NOW, factors))
    building = time.perf_counter() - started
    finding, alone, confirming, renewing, counts = [], [], [], [], []
    factor, step = 1.0, 1e-4
    rules = BY_REVISION[pool.revision]
    for _ in range(TICKS):
        factor *= 1 - step
        market = synthetic.moved(pool, {0: factor})
        weights = synthetic.weights(market, synthetic.NOW, factors)
        own = time.thread_time()
        began = time.perf_counter()
        rows = index.candidates(weights)
        found = time.perf_counter()
        own = time.thread_time() - own
        assert rows is not None
        valuer = RecordValuer(health.accrue(market.market, synthetic.NOW, rules))
        below = sum(valuer.value(made[row]).health < 10**18 for row in rows.tolist())
        confirmed = time.perf_counter()
        index.renew(rows, weights)
        ended = time.perf_counter()
        finding.append(found - began)
        alone.append(own)
        confirming.append(confirmed - began)
        renewing.append(ended - confirmed)
        counts.append(len(rows))
        # Steer the tick's size to the number of candidates that is wanted.
        step *= 1.3 if len(rows) - below < CANDIDATES else 0.8
    last = slice(TICKS // 10, None)
    find, confirm = _p99(finding[last]), _p99(confirming[last])
    # On a machine that others use, the processor's own time says what the wall clock cannot.
    median, busy = float(np.median(finding[last])) * 1e3, _p99(alone[last]) * 1e3
    usual = f"median {median:.3f}, p99 of processor time {busy:.3f}"
    upkeep = float(np.mean(renewing[last]))
    about = f"{accounts:,} accounts, {np.mean(counts[last]):.0f} candidates"
    return [
        _result(
            f"one-feed tick of {about}: finding, p99 ({usual} ms)",
            find * 1e3,
            "at most 0.1 ms",
            find <= 1e-4,
        ),
        _result("the same, and confirming exactly, p99", confirm * 1e3, "at most 2 ms", confirm <= 2e-3),
        _result(
            "upkeep of the index a tick, amortised",
            upkeep * 1e3,
            "told",
            True,
        ),
        _result("building the index", building * 1e3, "told", True),
    ]


def _p99(times: list[float]) -> float:
    return float(np.percentile(times, 99))


def _result(name: str, value: float, aim: str, ok: bool) -> Result:
    return {
        "name": name,
        "value": value,
        "unit": "ms",
        "baseline": None,
        "ratio": None,
        "aim": aim,
        "ok": ok,
    }
