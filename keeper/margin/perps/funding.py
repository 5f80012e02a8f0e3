"""Funding of BitMEX and Deribit, and the value of inverse contracts. float64 scalars or arrays.

Rates are ratios of value per funding interval. Sources: BitMEX, Perpetual Contracts Guide; Deribit, Inverse
Perpetual (funding rate).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, not_negative, positive, positive_array
from keeper.margin.interface import Array, Provenance

BITMEX = Provenance("1", date(2019, 1, 1), "BitMEX, Perpetual Contracts Guide")
DERIBIT = Provenance("1", date(2023, 1, 1), "Deribit, Inverse Perpetual")


@dataclass(frozen=True, slots=True)
class BitmexTerms:
    """`clamp` bounds interest − premium; funding is paid `intervals_per_day` times per day."""

    clamp: float = 0.0005
    intervals_per_day: int = 3
    provenance: Provenance = BITMEX

    def __post_init__(self) -> None:
        not_negative(self.clamp, "clamp")
        positive(self.intervals_per_day, "intervals_per_day")


@dataclass(frozen=True, slots=True)
class DeribitTerms:
    """No funding while the premium is within ±`damper`; rates, within ±`cap`, are per `hours` and paid
    continuously."""

    damper: float = 0.00025
    cap: float = 0.005
    hours: float = 8.0
    provenance: Provenance = DERIBIT

    def __post_init__(self) -> None:
        not_negative(self.damper, "damper")
        positive(self.cap, "cap")
        positive(self.hours, "hours")


BITMEX_TERMS = BitmexTerms()
DERIBIT_TERMS = DeribitTerms()


def interest_rate(quote_daily: ArrayLike, base_daily: ArrayLike, terms: BitmexTerms = BITMEX_TERMS) -> Array:
    """(quote − base) / intervals per day, from daily rates."""
    spread: Array = finite(quote_daily, "quote_daily") - finite(base_daily, "base_daily")
    return spread / terms.intervals_per_day


def bitmex_rate(premium: ArrayLike, interest: ArrayLike, terms: BitmexTerms = BITMEX_TERMS) -> Array:
    """P + clamp(I − P, ±clamp): longs pay shorts where positive."""
    p, i = finite(premium, "premium"), finite(interest, "interest")
    return np.asarray(p + np.clip(i - p, -terms.clamp, terms.clamp), dtype=np.float64)


def deribit_premium(mark: ArrayLike, index: ArrayLike) -> Array:
    """(mark − index) / index."""
    m, i = positive_array(mark, "mark"), positive_array(index, "index")
    return np.asarray((m - i) / i, dtype=np.float64)


def deribit_rate(premium: ArrayLike, terms: DeribitTerms = DERIBIT_TERMS) -> Array:
    """max(damper, p) + min(−damper, p), within ±cap: zero inside the damper. Per `hours` hours."""
    p = finite(premium, "premium")
    rate = np.maximum(terms.damper, p) + np.minimum(-terms.damper, p)
    return np.asarray(np.clip(rate, -terms.cap, terms.cap), dtype=np.float64)


def deribit_payment(
    rates: ArrayLike,
    seconds: ArrayLike,
    value: ArrayLike,
    terms: DeribitTerms = DERIBIT_TERMS,
) -> Array:
    """Σ rate·seconds / period·value over the last axis: what a long of `value` pays, in the unit of value."""
    held = finite(seconds, "seconds")
    if (held < 0).any():
        raise MarginError("must not be negative", field="seconds")
    period = terms.hours * 3600
    return np.asarray(
        (finite(rates, "rates") * held).sum(axis=-1) / period * finite(value, "value"), dtype=np.float64
    )


def inverse_value(contracts: ArrayLike, price: ArrayLike) -> Array:
    """Value in coins of `contracts` of one dollar each: contracts / price."""
    return np.asarray(finite(contracts, "contracts") / positive_array(price, "price"), dtype=np.float64)


def inverse_pnl(contracts: ArrayLike, entry: ArrayLike, exit_price: ArrayLike) -> Array:
    """contracts·(1/entry − 1/exit), in coins; contracts negative for a short."""
    return inverse_value(contracts, entry) - inverse_value(contracts, exit_price)


def funding_paid(value: ArrayLike, rate: ArrayLike) -> Array:
    """value·rate: funding paid; negative: received."""
    return np.asarray(finite(value, "value") * finite(rate, "rate"), dtype=np.float64)
