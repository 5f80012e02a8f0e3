"""Margin rates that follow volatility, with anti-procyclical measures, each optional.

base_t = quantile factor · σ_t · √days, σ_t estimated from days before t. Measures, after EMIR RTS 153/2013
article 28: (a) a 25 % buffer that may be exhausted while requirements rise; (b) 25 % weight on stressed
observations; (c) a floor from volatility over up to ten years.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, not_negative, positive, positive_array, within
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.risk.volatility import RISKMETRICS_LAMBDA, ewma_variances, long_run_sigmas

EMIR_28 = Provenance("153/2013", date(2013, 2, 23), "Commission Delegated Regulation (EU) 153/2013, art. 28")


# A century of days: longer than any price series.
LONGEST_FLOOR = 36_500


@dataclass(frozen=True, slots=True)
class DynamicTerms:
    """`factor`·σ·√`days` is the base rate; a measure is off where its number is zero.

    `buffer` is the exhaustible share on top, `replenish` the share by which the rate may grow per day to
    refill it; `stress_weight` the weight of `stress_sigma` (daily volatility in stress); `floor_days` the
    window of long-run volatility. Maintenance is `maintenance_share` of the rate.
    """

    factor: float
    days: float = 1.0
    decay: float = RISKMETRICS_LAMBDA
    buffer: float = 0.0
    replenish: float = 0.005
    stress_weight: float = 0.0
    stress_sigma: float = 0.0
    floor_days: int = 0
    maintenance_share: float = 0.75
    provenance: Provenance = EMIR_28

    def __post_init__(self) -> None:
        positive(self.factor, "factor")
        positive(self.days, "days")
        not_negative(self.buffer, "buffer")
        within(self.replenish, 0, 1, "replenish")
        within(self.stress_weight, 0, 1, "stress_weight")
        not_negative(self.stress_sigma, "stress_sigma")
        if self.stress_weight and not self.stress_sigma:
            raise MarginError("must be given where stress_weight is", field="stress_sigma")
        if not 0 < self.maintenance_share <= 1:
            raise MarginError("must be above 0 and at most 1", field="maintenance_share")
        within(self.floor_days, 0, LONGEST_FLOOR, "floor_days")


def base_rates(sigmas: ArrayLike, terms: DynamicTerms) -> Array:
    """factor·σ·√days of daily volatilities σ > 0, any shape."""
    scale = terms.factor * np.sqrt(terms.days)
    return np.asarray(positive_array(sigmas, "sigmas") * scale, dtype=np.float64)


def with_stress(rates: ArrayLike, terms: DynamicTerms) -> Array:
    """(1 − weight)·rate + weight·the rate at stressed volatility."""
    stressed = terms.factor * np.sqrt(terms.days) * terms.stress_sigma
    return np.asarray(
        (1 - terms.stress_weight) * finite(rates, "rates") + terms.stress_weight * stressed,
        dtype=np.float64,
    )


def with_floor(rates: ArrayLike, long_run: ArrayLike, terms: DynamicTerms) -> Array:
    """Rates raised to at least the rate at long-run volatility."""
    return np.asarray(np.maximum(finite(rates, "rates"), base_rates(long_run, terms)), dtype=np.float64)


def with_buffer(rates: ArrayLike, terms: DynamicTerms) -> Array:
    """M_t = clamp(M_{t−1}·(1 + replenish), rate_t, (1 + buffer)·rate_t) along the first axis.

    The margin grows by at most `replenish` per day unless the rate is above that: while rates rise, the
    buffer is used up. It is never below the rate, and the buffer starts full.
    """
    base = positive_array(rates, "rates")
    if base.ndim == 0:
        raise MarginError("must be a series of days", field="rates")
    full = (1 + terms.buffer) * base
    margins = np.empty_like(base)
    margins[0] = full[0]
    for day in range(1, base.shape[0]):
        margins[day] = np.clip(margins[day - 1] * (1 + terms.replenish), base[day], full[day])
    return margins


def margin_rates(returns: ArrayLike, terms: DynamicTerms) -> Array:
    """The margin rate for each day and the day after the last, each from days before it.

    Shape (days, …) to (days + 1, …). Order: base rate, stress weight, long-run floor, then the buffer.
    """
    rates = base_rates(np.sqrt(ewma_variances(returns, terms.decay)), terms)
    if terms.stress_weight:
        rates = with_stress(rates, terms)
    if terms.floor_days:
        rates = with_floor(rates, long_run_sigmas(returns, terms.floor_days), terms)
    return with_buffer(rates, terms) if terms.buffer else rates


@dataclass(frozen=True, slots=True)
class DynamicPosition:
    """`notional` (its sign is ignored) and `equity` per account, money; arrays of one shape."""

    notional: ArrayLike
    equity: ArrayLike


@dataclass(frozen=True, slots=True)
class DynamicMargin:
    """Dynamic margin as a margin model: positions in one asset, its daily returns, oldest first."""

    name: str = "dynamic"
    version: str = "1"

    def requirement(
        self, positions: DynamicPosition, market: ArrayLike, parameters: DynamicTerms
    ) -> Requirement:
        """Requirement at the rate of the day after the last return; `parts` has it without measures too."""
        returns = finite(market, "returns")
        if returns.ndim != 1:
            raise MarginError("must be one asset's series", field="returns")
        notional, equity = np.abs(finite(positions.notional, "notional")), finite(positions.equity, "equity")
        if notional.shape != equity.shape:
            raise MarginError(f"has shape {equity.shape}, notional {notional.shape}", field="equity")
        rate = float(margin_rates(returns, parameters)[-1])
        bare = float(base_rates(np.sqrt(ewma_variances(returns, parameters.decay)[-1]), parameters))
        initial = np.asarray(rate * notional, dtype=np.float64)
        return Requirement(
            initial,
            parameters.maintenance_share * initial,
            equity,
            {"rate": rate, "rate_without_measures": bare},
        )


def largest_rise(margins: ArrayLike, days: int = 5) -> Array:
    """The largest relative rise within `days` days, max M_t/M_s − 1 with s < t ≤ s + days: procyclicality.

    Along the first axis; zero for a series that never rises. MarginError unless 1 ≤ days < length.
    """
    values = positive_array(margins, "margins")
    if not 1 <= days < (values.shape[0] if values.ndim else 0):
        raise MarginError("must be at least 1 and less than the series is long", field="days")
    rises = [(values[lag:] / values[:-lag]).max(axis=0) for lag in range(1, days + 1)]
    return np.asarray(np.maximum(np.max(rises, axis=0) - 1, 0.0), dtype=np.float64)


def peak_to_trough(margins: ArrayLike) -> Array:
    """Highest over lowest margin along the first axis."""
    values = positive_array(margins, "margins")
    return np.asarray(values.max(axis=0) / values.min(axis=0), dtype=np.float64)
