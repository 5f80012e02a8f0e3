"""A Perp v2 market in the contracts' own integers: prices of its pool, the mark, and how funding accrues.

Roots of prices are Uniswap's Q64.96, prices are scaled 1e18, ratios are millionths, times are seconds.
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
    """What a market's exchange stored at `time`: premium times seconds, and the same over the root of the
    pool's price, both Q96, since the market opened."""

    premium: int = 0
    premium_over_root: int = 0
    time: int = 0

    def __post_init__(self) -> None:
        integer(self.premium, "premium")
        integer(self.premium_over_root, "premium_over_root")
        natural(self.time, "time")


def price_x96(root: int) -> int:
    """The price whose root it is, Q96."""
    return natural(root, "root") ** 2 // Q96


def pool_price(root: int) -> int:
    """The price whose root it is, scaled 1e18."""
    return price_x96(root) * WAD // Q96


def mean_tick(earlier: int, later: int, interval: int) -> int:
    """The mean tick between two of the pool's cumulative ticks, cut towards zero."""
    return div_trunc(later - earlier, interval)


def mark_price(short: int, long: int, premium: int, index: int, index_average: int) -> int:
    """The median of the pool's short and long price, and the index shifted by its premium.

    The first three are roots: `short` of the moment (2.6) or of 15 seconds (2.8), `long` of 30 minutes,
    `premium` of the 15 minutes that `index_average` is of.
    """
    shifted = natural(index, "index") + pool_price(premium) - natural(index_average, "index_average")
    if shifted < 0:
        raise MarginError("below zero with the pool's premium: the contract reverts", field="index")
    return sorted((pool_price(short), pool_price(long), shifted))[1]


def accrue_premium(
    state: PremiumGrowth, average: int, index_average: int, root: int, max_rate: int, now: int
) -> PremiumGrowth:
    """The market's growth at `now`: the premium of the pool's average over the index's, at most `max_rate`
    of the index, for the time since. `average` and `root` (of the moment) are roots."""
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
    """What an account owes since it settled at the premium growth `settled`, negative where it receives.

    `base` is its position less the base its ranges borrowed, `ranges` what those add themselves.
    """
    own = div_trunc(integer(base, "base") * (growth.premium - settled), Q96)
    return div_trunc(ranges + own, FUNDING_PERIOD)
