"""A Perp v2 market in the contracts' own integers: prices of its pool, the mark, and how funding accrues.

Roots are Uniswap's square root prices (Q64.96), prices are scaled 1e18, ratios are millionths, times seconds.
Source: perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/AccountBalance.sol, Exchange.sol,
lib/Funding.sol, lib/PerpMath.sol.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.perps.perp_v2 import RATIO
from keeper.margin.rounding import WAD, div_trunc

Q96 = 2**96
FUNDING_PERIOD = 86_400


@dataclass(frozen=True, slots=True)
class PremiumGrowth:
    """Premium growth that the exchange stored at `time`: Σ premium·seconds since the market opened, and the
    same over the pool's square root price; both Q96, signed."""

    premium: int = 0
    premium_over_root: int = 0
    time: int = 0

    def __post_init__(self) -> None:
        integer(self.premium, "premium")
        integer(self.premium_over_root, "premium_over_root")
        natural(self.time, "time")


def price_x96(root: int) -> int:
    """The price of a square root price, Q96, rounded down."""
    return natural(root, "root") ** 2 // Q96


def pool_price(root: int) -> int:
    """The price of a square root price, scaled 1e18, rounded down."""
    return price_x96(root) * WAD // Q96


def mean_tick(earlier: int, later: int, interval: int) -> int:
    """The mean tick between two of the pool's cumulative ticks, truncated towards zero."""
    return div_trunc(later - earlier, interval)


def mark_price(short: int, long: int, premium: int, index: int, index_average: int) -> int:
    """The median of the pool's short and long price, and the index shifted by its premium.

    The first three are roots: `short` is the present one (2.6) or that of 15 seconds (2.8), `long` that of
    30 minutes, `premium` that of 15 minutes, as `index_average` is. MarginError where the shifted index is
    negative and the contract reverts.
    """
    shifted = natural(index, "index") + pool_price(premium) - natural(index_average, "index_average")
    if shifted < 0:
        raise MarginError("below zero with the pool's premium: the contract reverts", field="index")
    return sorted((pool_price(short), pool_price(long), shifted))[1]


def accrue_premium(
    state: PremiumGrowth, average: int, index_average: int, root: int, max_rate: int, now: int
) -> PremiumGrowth:
    """Premium growth at `now`: adds the premium of the pool's average over the index's, clamped to
    ±`max_rate` (millionths) of the index, times the seconds elapsed. `average` and `root` (the present one)
    are roots."""
    elapsed = natural(now - state.time, "now")
    if elapsed == 0 or state.time == 0:
        return state
    index = natural(index_average, "index_average") * Q96 // WAD
    most = index * max_rate // RATIO
    grown = max(-most, min(most, price_x96(average) - index)) * elapsed
    over_root = div_trunc(grown * Q96, natural(root, "root"))
    return replace(
        state,
        premium=state.premium + grown,
        premium_over_root=state.premium_over_root + over_root,
        time=now,
    )


def funding_payment(base: int, growth: PremiumGrowth, settled: int, ranges: int = 0) -> int:
    """Funding that an account owes since it settled at the premium growth `settled`, truncated; negative: it
    receives. Quote, 1e18.

    `base` is its position less the base that its ranges borrowed, `ranges` the sum of `range_funding`.
    """
    own = div_trunc(integer(base, "base") * (growth.premium - settled), Q96)
    return div_trunc(ranges + own, FUNDING_PERIOD)
