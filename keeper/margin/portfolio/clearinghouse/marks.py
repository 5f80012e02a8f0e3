"""Mark, averaged premium and funding of a perpetual: as contracts/src/clearinghouse/Marks.sol.

Prices have 9 decimals. Funding is one integer for both sides: what longs pay, shorts get.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.rounding import div_trunc, wad_mul_down

AVERAGING = 30 * 60
"""Seconds after which a match that stands has half of the average."""
PERIOD = 8 * 3600
"""Seconds that a rate of funding is for."""


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """Fractions of the index: how far the mark may be from it, and the most funding of a period."""

    band: int
    funding_cap: int


@dataclass(frozen=True, slots=True)
class PerpetualState:
    """As of `at`: the last match (0: none yet), averaged premium and the integral of funding over seconds."""

    last: int
    at: int
    premium: int
    integral: int

    @property
    def funding(self) -> int:
        """What a long has paid per unit so far: the integral over the period, rounded down."""
        return self.integral // PERIOD


def averaged(premium: int, index: int, last: int, band: int, elapsed: int) -> int:
    """(premium·AVERAGING + clamp(last − index, ±band)·elapsed) / (AVERAGING + elapsed), towards zero."""
    sample = _clamped(last - index, band) if last else 0
    return div_trunc(premium * AVERAGING + sample * elapsed, AVERAGING + elapsed)


def mark_price(index: int, premium: int, last: int, band: int) -> int:
    """The median of index, index + premium and the last match, no farther from the index than `band`."""
    candidates = (0, _clamped(premium, band), _clamped(last - index, band) if last else 0)
    return index + sorted(candidates)[1]


def accrued(state: PerpetualState, index: int, terms: FundingTerms, now: int) -> tuple[PerpetualState, int]:
    """The state at `now`, and the mark.

    The average moves first, by the match that stood all the time, then funding by the mark that this gives.
    """
    band, elapsed = wad_mul_down(index, terms.band), now - state.at
    premium = averaged(state.premium, index, state.last, band, elapsed)
    mark = mark_price(index, premium, state.last, band)
    paid = _clamped(mark - index, wad_mul_down(index, terms.funding_cap)) * elapsed
    return PerpetualState(state.last, now, premium, state.integral + paid), mark


def matched(state: PerpetualState, price: int, index: int, terms: FundingTerms, now: int) -> PerpetualState:
    """The state after a match at `price`, which counts from now on."""
    then, _ = accrued(state, index, terms, now)
    return PerpetualState(min(price, 2**63 - 1), now, then.premium, then.integral)


def _clamped(value: int, most: int) -> int:
    return max(-most, min(most, value))
