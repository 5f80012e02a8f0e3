"""Price impact of a change in the imbalance between longs and shorts.

impact = initial^e·f − next^e·f, with f by direction. USD and factors with 30 decimals.
Source: gmx-io/gmx-synthetics@a5c0c883, contracts/pricing/PricingUtils.sol and utils/Precision.sol.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from keeper.margin.checks import natural
from keeper.margin.interface import Provenance
from keeper.margin.perps.gmx_v2.binary_power import power

FLOAT_PRECISION = 10**30
FLOAT_TO_WEI = 10**12

GMX_V2 = Provenance("2.1", date(2024, 6, 1), "gmx-io/gmx-synthetics@a5c0c883")


@dataclass(frozen=True, slots=True)
class ImpactTerms:
    """Factors for reducing (positive) and for increasing (negative) the imbalance, and the exponent; 1e30."""

    positive_factor: int
    negative_factor: int
    exponent: int
    provenance: Provenance = GMX_V2

    def __post_init__(self) -> None:
        for name in ("positive_factor", "negative_factor", "exponent"):
            natural(getattr(self, name), name)


def apply_factor_down(value: int, factor: int) -> int:
    """⌊value·factor / 1e30⌋."""
    return value * factor // FLOAT_PRECISION


def apply_exponent(value: int, exponent: int) -> int:
    """value^exponent, 30 decimals, computed with 18; zero for a value below 1, exact for the exponent 1."""
    if natural(value, "diff_usd") < FLOAT_PRECISION:
        return 0
    if exponent == FLOAT_PRECISION:
        return value
    return power(value // FLOAT_TO_WEI, natural(exponent, "exponent") // FLOAT_TO_WEI) * FLOAT_TO_WEI


def apply_impact_factor(diff_usd: int, factor: int, exponent: int) -> int:
    """⌊diff^exponent·factor⌋, USD with 30 decimals."""
    return apply_factor_down(apply_exponent(diff_usd, exponent), natural(factor, "factor"))


def price_impact(
    long_before: int, short_before: int, long_after: int, short_after: int, terms: ImpactTerms
) -> int:
    """Price impact of a change of long and short open interest, signed USD; positive: paid to the trader."""
    initial, following = abs(long_before - short_before), abs(long_after - short_after)
    crosses = (long_before <= short_before) != (long_after <= short_after)
    if crosses:
        gain = apply_impact_factor(initial, terms.positive_factor, terms.exponent)
        return gain - apply_impact_factor(following, terms.negative_factor, terms.exponent)
    improves = following < initial
    factor = terms.positive_factor if improves else terms.negative_factor
    return apply_impact_factor(initial, factor, terms.exponent) - apply_impact_factor(
        following, factor, terms.exponent
    )
