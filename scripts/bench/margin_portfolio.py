"""The whole portfolio margin of 10,000 accounts × 10 options × 33 scenarios, on one and on two threads.

Every option is its own (none is priced once and shared). `measure()` returns rows of name, value, unit,
baseline (one thread), ratio, aim, ok.
"""

from __future__ import annotations

from datetime import date
from time import perf_counter

import numpy as np

from keeper.margin.interface import Provenance
from keeper.margin.portfolio.accounts import Accounts, CollateralLegs, OptionLegs, PerpLegs
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import Concentration, DprmParameters
from scripts.bench.result import Result

ACCOUNTS, OPTIONS = 10_000, 10
ROUNDS = 5


def measure() -> list[Result]:
    """Seconds for equity, initial and maintenance margin of every account, all contingencies on."""
    accounts, market, parameters = _book()
    assert len(parameters.grid) == 33
    one, two = (_best(accounts, market, parameters, workers) for workers in (1, 2))
    return [
        {
            "name": "portfolio margin of 10,000 accounts × 10 options × 33 scenarios, two threads",
            "value": round(two, 4),
            "unit": "s",
            "baseline": round(one, 4),
            "ratio": round(one / two, 2),
            "aim": "under 1 s; baseline is one thread",
            "ok": bool(two < 1.0),
        }
    ]


def _best(accounts: Accounts, market: MarketData, parameters: DprmParameters, workers: int) -> float:
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        evaluate(accounts, market, parameters, workers=workers)
        times.append(perf_counter() - start)
    return min(times)


def _book() -> tuple[Accounts, MarketData, DprmParameters]:
    random = np.random.default_rng(2)
    market = MarketData(("BTC", "ETH"), np.array([60_000.0, 3_000.0]))
    count = ACCOUNTS * OPTIONS
    underlying = random.integers(0, 2, count)
    options = OptionLegs(
        account=np.repeat(np.arange(ACCOUNTS), OPTIONS),
        underlying=underlying,
        quantity=random.normal(0, 1, count),
        strike=market.spot[underlying] * np.exp(random.normal(0, 0.25, count)),
        years=random.choice([7, 14, 30, 60, 90, 180], count) / 365,
        volatility=random.uniform(0.4, 1.0, count),
        is_call=random.random(count) < 0.5,
        forward_ratio=random.uniform(0.99, 1.02, count),
        discount=np.ones(count),
    )
    owner, held = np.arange(ACCOUNTS), random.integers(0, 2, ACCOUNTS)
    perps = PerpLegs(owner, held, random.normal(0, 1, ACCOUNTS), market.spot[held])
    collateral = CollateralLegs(owner, held, random.uniform(0, 1, ACCOUNTS))
    parameters = DprmParameters(
        Provenance("bench", date(2025, 1, 1), "benchmark"),
        price_range=np.array([0.15, 0.18]),
        haircut=np.array([0.1, 0.1]),
        concentration=Concentration(np.full(2, 1e7), np.full(2, 1e6), np.full(2, 1e5)),
    )
    cash = random.uniform(0, 1e5, ACCOUNTS)
    return Accounts.of(cash, options, perps, collateral=collateral), market, parameters
