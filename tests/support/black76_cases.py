"""Forward, strike and deviation for which a fixed-point Black-76 price is most easily wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import product

WAD = 10**18
MOST = 2**128 - 1
Case = tuple[int, int, int]

_FORWARDS = (WAD // 1_000, WAD, 3_123 * WAD + 7, 65_000 * WAD)
_MONEYNESS = (0.05, 0.5, 0.8, 0.99, 1.0, 1.01, 1.3, 2.0, 20.0)
_DEVIATIONS = (0.0005, 0.01, 0.07, 0.3, 1.1, 4.0)


def grid() -> Iterator[Case]:
    """What is traded."""
    for forward, ratio, deviation in product(_FORWARDS, _MONEYNESS, _DEVIATIONS):
        yield forward, int(forward * ratio), int(deviation * WAD)


def extremes() -> Iterator[Case]:
    """Zeros, ones and the largest of everything."""
    amounts = (0, 1, 2, WAD, MOST - 1, MOST)
    yield from product(amounts, amounts, (0, 1, WAD, 13 * WAD, 64 * WAD, 64 * WAD + 1, 2**256 - 1))


def edges(draw: random.Random, count: int) -> Iterator[Case]:
    """Beside each place where the arithmetic takes another branch."""
    for _ in range(count):
        near, forward = draw.randint(-3, 3), draw.getrandbits(draw.randint(20, 120)) + 1
        # 2^k·m changes its k where the ratio passes √2·2^k.
        strike = math.isqrt(forward * forward << (2 * draw.randint(0, 126) + 1)) + near
        yield forward, min(strike, MOST), int(WAD * 10 ** draw.uniform(-3, 1.4))
        # At the money a = s/2, and k of the exponential changes where a²/2 passes (k + ½)·ln 2.
        yield forward, forward, int(2 * math.sqrt((2 * draw.randint(0, 131) + 1) * math.log(2)) * WAD) + near
        # a passes 0 where ln(K/F) = s²/2, and is cut at ±13.5 where ln(K/F) = s²/2 ± 13.5·s.
        s, cut = 10 ** draw.uniform(-4, 1.1), draw.choice((-13.5, 0.0, 13.5))
        strike = int(forward * math.exp(min(max(s * s / 2 + cut * s, 0), 80.0))) + near
        yield forward, min(max(strike, 0), MOST), int(s * WAD)


def scattered(draw: random.Random, count: int) -> Iterator[Case]:
    """All orders of magnitude; many near the money, there with tiny deviations too; wings of every depth."""
    for _ in range(count):
        forward = draw.getrandbits(draw.choice((10, 40, 60, 76, 90, 128)))
        spread = draw.choice((0.0, 1e-17, 1e-9, 1e-3, 0.1, 1.0, 20.0))
        strike = min(int(forward * math.exp(draw.gauss(0, spread))) + draw.randint(0, 1), MOST)
        deviation = int(max(spread, 1e-18) * 10 ** draw.uniform(-1.5, 1.5) * WAD)
        yield (forward, strike, deviation) if draw.random() < 0.5 else (strike, forward, deviation)


def cases(seed: int, count: int) -> list[Case]:
    """All of the above, `count` of them scattered and as many at edges."""
    draw = random.Random(seed)
    return [*grid(), *extremes(), *edges(draw, count // 3), *scattered(draw, count)]
