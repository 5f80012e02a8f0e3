"""The adaptive-curve rate: borrow rate as a curve of utilization whose level drifts with it.

Source: morpho-org/morpho-blue-irm, src/adaptive-curve-irm (AdaptiveCurveIrm.sol, libraries). Rates in wad
per second; every division truncates towards zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from keeper.margin.checks import natural
from keeper.margin.interface import Provenance
from keeper.margin.rounding import WAD, div_trunc, wad_div_trunc, wad_mul_trunc

YEAR = 365 * 24 * 3600
ADAPTIVE_CURVE = Provenance("1", date(2024, 1, 10), "morpho-org/morpho-blue-irm, AdaptiveCurveIrm")
LN_2 = 693_147_180_559_945_309
LN_WEI = -41_446_531_673_892_822_312
EXP_UPPER_BOUND = 93_859_467_695_000_404_319
EXP_UPPER_VALUE = 57_716_089_161_558_943_949_701_069_502_944_508_345_128_422_502_756_744_429_568


@dataclass(frozen=True, slots=True)
class CurveTerms:
    """Constants of the deployed contract: steepness and target in wad, speed and rates in wad per second."""

    steepness: int = 4 * WAD
    adjustment_speed: int = 50 * WAD // YEAR
    target_utilization: int = 9 * WAD // 10
    initial_rate: int = 4 * WAD // 100 // YEAR
    min_rate: int = WAD // 1000 // YEAR
    max_rate: int = 2 * WAD // YEAR
    provenance: Provenance = ADAPTIVE_CURVE


CURVE = CurveTerms()


def exp_trunc(x: int) -> int:
    """e^x in wad: 2^q·(1 + r + r²/2), |r| ≤ ln 2 / 2; the contract's approximation, to the unit."""
    if x < LN_WEI:
        return 0
    if x >= EXP_UPPER_BOUND:
        return EXP_UPPER_VALUE
    rounding = -(LN_2 // 2) if x < 0 else LN_2 // 2
    q = div_trunc(x + rounding, LN_2)
    r = x - q * LN_2
    grown = WAD + r + r * r // WAD // 2
    return grown << q if q >= 0 else grown >> -q


def borrow_rate(
    utilization: int, rate_at_target: int, elapsed: int, terms: CurveTerms = CURVE
) -> tuple[int, int]:
    """(average borrow rate since the last update, rate at target now), both in wad per second.

    `utilization` in wad, `elapsed` in seconds; `rate_at_target` 0: the market has never accrued.
    """
    natural(elapsed, "elapsed")
    target = terms.target_utilization
    norm = WAD - target if utilization > target else target
    error = wad_div_trunc(utilization - target, norm)
    if rate_at_target == 0:
        return _curve(terms.initial_rate, error, terms), terms.initial_rate
    adaptation = wad_mul_trunc(terms.adjustment_speed, error) * elapsed
    if adaptation == 0:
        return _curve(rate_at_target, error, terms), rate_at_target
    end = _adapted(rate_at_target, adaptation, terms)
    middle = _adapted(rate_at_target, div_trunc(adaptation, 2), terms)
    average = (rate_at_target + end + 2 * middle) // 4
    return _curve(average, error, terms), end


def _adapted(rate: int, adaptation: int, terms: CurveTerms) -> int:
    return min(max(wad_mul_trunc(rate, exp_trunc(adaptation)), terms.min_rate), terms.max_rate)


def _curve(rate_at_target: int, error: int, terms: CurveTerms) -> int:
    below = WAD - wad_div_trunc(WAD, terms.steepness)
    coefficient = below if error < 0 else terms.steepness - WAD
    return wad_mul_trunc(wad_mul_trunc(coefficient, error) + WAD, rate_at_target)
