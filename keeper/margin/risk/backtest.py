"""Backtests of VaR: Kupiec's proportion of failures, Christoffersen's independence, Basel's traffic light.

Sources: Kupiec (1995); Christoffersen (1998); Basel Committee, Supervisory framework for backtesting (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, bdtrc, chdtrc, xlogy

from keeper.errors import MarginError
from keeper.margin.checks import finite, natural

BASEL_MULTIPLIERS = (3.0, 3.0, 3.0, 3.0, 3.0, 3.4, 3.5, 3.65, 3.75, 3.85, 4.0)
GREEN_BELOW = 0.95
RED_FROM = 0.9999


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood-ratio statistic, chi-squared with `degrees` degrees of freedom under the hypothesis."""

    statistic: float
    degrees: int

    @property
    def p_value(self) -> float:
        """Probability of a statistic this large if the model is right."""
        return float(chdtrc(self.degrees, self.statistic))


@dataclass(frozen=True, slots=True)
class Transitions:
    """Counts of consecutive days by exceedance (1) or none (0): n01 is none today, exceedance tomorrow."""

    n00: int
    n01: int
    n10: int
    n11: int

    def __post_init__(self) -> None:
        for name in ("n00", "n01", "n10", "n11"):
            natural(getattr(self, name), name)


@dataclass(frozen=True, slots=True)
class TrafficLight:
    """`probability` P(X ≤ x) and `type_one` P(X ≥ x) of x exceedances under a correct model, Basel's zone."""

    probability: float
    type_one: float
    zone: str


def _check(days: int, exceedances: int, expected: float) -> None:
    if natural(days, "days") == 0:
        raise MarginError("is zero", field="days")
    if natural(exceedances, "exceedances") > days:
        raise MarginError(f"{exceedances} in {days} days", field="exceedances")
    if not 0 < expected < 1:
        raise MarginError(f"is {expected}, must lie between 0 and 1", field="expected")


def exceedances(losses: ArrayLike, var: ArrayLike) -> Sequence[bool]:
    """Which days lost more than their VaR: (days,) booleans."""
    hits: list[bool] = (finite(losses, "losses") > finite(var, "var")).tolist()
    return hits


def _log_likelihood(failures: int, trials: int, probability: float) -> float:
    return float(xlogy(trials - failures, 1 - probability) + xlogy(failures, probability))


def kupiec(days: int, exceedances: int, expected: float) -> LikelihoodRatio:
    """Test of the proportion of failures against the `expected` rate (1 − level)."""
    _check(days, exceedances, expected)
    observed = _log_likelihood(exceedances, days, exceedances / days)
    ratio = 2 * (observed - _log_likelihood(exceedances, days, expected))
    return LikelihoodRatio(max(ratio, 0.0), 1)


def transitions(hits: Sequence[bool]) -> Transitions:
    """Counts over the days − 1 pairs of consecutive days; MarginError for fewer than two days."""
    if len(hits) < 2:
        raise MarginError("needs at least two days", field="hits")
    flags = np.asarray(hits, dtype=bool)
    before, after = flags[:-1], flags[1:]
    return Transitions(
        int((~before & ~after).sum()),
        int((~before & after).sum()),
        int((before & ~after).sum()),
        int((before & after).sum()),
    )


def christoffersen(pairs: Transitions) -> LikelihoodRatio:
    """Test of independence: an exceedance makes another on the next day no likelier."""
    quiet, after_hit = pairs.n00 + pairs.n01, pairs.n10 + pairs.n11
    if quiet + after_hit == 0:
        raise MarginError("holds no pair of days", field="pairs")
    pooled = (pairs.n01 + pairs.n11) / (quiet + after_hit)
    separate = _log_likelihood(pairs.n01, quiet, pairs.n01 / quiet if quiet else 0.0)
    separate += _log_likelihood(pairs.n11, after_hit, pairs.n11 / after_hit if after_hit else 0.0)
    together = _log_likelihood(pairs.n01 + pairs.n11, quiet + after_hit, pooled)
    return LikelihoodRatio(max(2 * (separate - together), 0.0), 1)


def conditional_coverage(coverage: LikelihoodRatio, independence: LikelihoodRatio) -> LikelihoodRatio:
    """Joint test of coverage and independence: statistics and degrees of freedom add."""
    return LikelihoodRatio(
        coverage.statistic + independence.statistic, coverage.degrees + independence.degrees
    )


def traffic_light(days: int, exceedances: int, expected: float) -> TrafficLight:
    """Zone by the probability of at most as many exceedances: green below 95 %, red from 99.99 % on."""
    _check(days, exceedances, expected)
    below = float(bdtr(exceedances, days, expected))
    at_least = float(bdtrc(exceedances - 1, days, expected)) if exceedances else 1.0
    zone = "green" if below < GREEN_BELOW else "yellow" if below < RED_FROM else "red"
    return TrafficLight(below, at_least, zone)


def basel_multiplier(exceedances: int) -> float:
    """Capital multiplier for exceedances of a 99 % VaR in 250 days."""
    return BASEL_MULTIPLIERS[min(natural(exceedances, "exceedances"), len(BASEL_MULTIPLIERS) - 1)]


def basel_zone(exceedances: int) -> str:
    """Zone for exceedances of a 99 % VaR in 250 days: yellow from 5, red from 10."""
    return traffic_light(250, exceedances, 0.01).zone
