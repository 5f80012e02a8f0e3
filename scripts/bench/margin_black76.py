"""Black-76 over 10,000 accounts × 10 options × 33 scenarios, beside one vollib call a price and bare ufuncs.

One thread against one thread. `measure()` returns rows of name, value, unit, baseline, ratio, aim, ok.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from scipy.special import erf
from vollib.black import black

from keeper.margin.options import black76
from scripts.bench.result import Result

ACCOUNTS, OPTIONS, SCENARIOS = 10_000, 10, 33
VOLLIB_CALLS = 20_000
ROUNDS = 5


def measure() -> list[Result]:
    """Time of all prices against both baselines (the best of a few rounds each)."""
    random = np.random.default_rng(1)
    rows = (ACCOUNTS, OPTIONS, 1)
    prices = np.linspace(0.85, 1.15, 11)
    forward = random.uniform(50, 150, rows) * np.repeat(prices, 3)
    volatility = random.uniform(0.3, 1.2, rows) * np.tile([1.4, 1.0, 0.75], 11)
    strike, years = random.uniform(50, 150, rows), random.uniform(0.01, 1.0, rows)
    call = random.random(rows) < 0.5
    count = ACCOUNTS * OPTIONS * SCENARIOS
    ours = _best(lambda: black76.price(forward, strike, years, volatility, call)) / count

    some = [
        (("c" if c else "p"), f, k, 0.0, t, v)
        for c, f, k, t, v in zip(
            *(np.broadcast_to(x, (ACCOUNTS, OPTIONS, SCENARIOS)).ravel()[:VOLLIB_CALLS].tolist()
              for x in (call, forward, strike, years, volatility)),
            strict=True,
        )
    ]  # fmt: skip
    vollib = _best(lambda: [black(flag, f, k, t, r, v) for flag, f, k, r, t, v in some]) / VOLLIB_CALLS

    arguments = random.normal(0.0, 1.2, count)
    bare = _best(lambda: (np.exp(arguments), erf(arguments))) / count
    return [
        _row(
            "Black-76, a price, against one vollib call",
            ours,
            vollib,
            vollib / ours,
            "at least 60 × faster",
            vollib / ours >= 60,
        ),
        _row(
            "Black-76, a price, against exp and erf",
            ours,
            bare,
            ours / bare,
            "at most 3 × as long",
            ours / bare <= 3,
        ),
    ]


def _row(name: str, value: float, baseline: float, ratio: float, aim: str, ok: bool) -> Result:
    nano = 1e9
    return {
        "name": name,
        "value": round(value * nano, 2),
        "unit": "ns",
        "baseline": round(baseline * nano, 2),
        "ratio": round(ratio, 2),
        "aim": aim,
        "ok": bool(ok),
    }


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)
