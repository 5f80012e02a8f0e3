"""The liquidation spot of a short on Avalon, by bisection over integers."""

from __future__ import annotations

from keeper.margin.options.lyra_avalon.minimum import MinimumTerms, ShortKind

FARTHEST = 10**6
"""Spots are searched from the strike divided by this to the strike times this."""


def breaking_spot(
    terms: MinimumTerms, kind: ShortKind, strike: int, seconds: int, amount: int, collateral: int
) -> int | None:
    """The first spot, upward for calls and downward for puts, at which the minimum exceeds the collateral.

    Prices, amount and collateral have 18 decimals. None where the verdict is the same at both ends of the
    search: fully collateralised, or below the static minimum at any spot.
    """

    def breaks(spot: int) -> bool:
        return collateral < terms.minimum_collateral(kind, strike, seconds, spot, amount)

    # Rounding may move the minimum by a unit: the result is then one of the spots where the verdict changes.
    safe, broken = strike // FARTHEST + 1, strike * FARTHEST
    if kind is ShortKind.PUT_QUOTE:
        safe, broken = broken, safe
    if breaks(safe) or not breaks(broken):
        return None
    while abs(broken - safe) > 1:
        middle = (safe + broken) // 2
        if breaks(middle):
            broken = middle
        else:
            safe = middle
    return broken
