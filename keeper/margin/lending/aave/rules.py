"""What differs between Aave v3's versions, as values. A pool's revision only suggests its rules: whether they
reproduce the pool's own view decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from keeper.margin.lending.aave import fixed, interest


class CloseFactor(Enum):
    """How much of a debt one liquidation may repay."""

    BY_RESERVE = "50 % of the reserve's debt above health 0.95"  # 3.0–3.2
    BY_TOTAL = "50 % of all debt above 0.95, small positions whole, no dust"  # 3.3 and later


@dataclass(frozen=True, slots=True)
class Rules:
    """One version's arithmetic: rounding by direction, e-mode by category or bitmap, close factor.

    `supply_shares`/`repay_shares` turn an amount into scaled units minted or burnt, `seized_shares` an
    amount of collateral into scaled units that a liquidation takes from the account.
    `averages_threshold`: health goes through the truncated average threshold (to 3.4), which makes it
    non-monotone in price. `threshold_zero_counts`: a collateral with threshold 0 still adds value.
    `debt_growth` is the interest on scaled debt between two indices, of which the treasury gets its share.
    `cap_on_shares`: the supply cap limits all shares together, new ones included.
    `seized`, `seized_base` and `fee` round a liquidation's collateral, its part without bonus, and the
    protocol's share. `dust_counts_fee`: leftover collateral is tested for dust after the fee.
    """

    version: str
    compounded_interest: Callable[[int, int], int]
    supplied: Callable[[int, int], int]
    owed: Callable[[int, int], int]
    debt_value: Callable[[int, int, int], int]
    supply_shares: Callable[[int, int], int]
    repay_shares: Callable[[int, int], int]
    seized_shares: Callable[[int, int], int]
    averages_threshold: bool
    threshold_zero_counts: bool
    emode_by_bitmap: bool
    close_factor: CloseFactor
    seized_debt_needed: Callable[[int, int], int]
    debt_growth: Callable[[int, int, int], int]
    cap_on_shares: bool
    seized: Callable[[int, int], int] = fixed.percent_mul_half_up
    seized_base: Callable[[int, int], int] = fixed.percent_div_half_up
    fee: Callable[[int, int], int] = fixed.percent_mul_half_up
    dust_counts_fee: bool = True


V302 = Rules(
    version="3.0.2",
    compounded_interest=interest.compounded_interest_binomial,
    supplied=fixed.ray_mul_half_up,
    owed=fixed.ray_mul_half_up,
    debt_value=fixed.mul_div_floor,
    supply_shares=fixed.ray_div_half_up,
    repay_shares=fixed.ray_div_half_up,
    seized_shares=fixed.ray_div_half_up,
    averages_threshold=True,
    threshold_zero_counts=False,
    emode_by_bitmap=False,
    close_factor=CloseFactor.BY_RESERVE,
    seized_debt_needed=fixed.percent_div_half_up,
    debt_growth=lambda scaled, before, after: (
        fixed.ray_mul_half_up(scaled, after) - fixed.ray_mul_half_up(scaled, before)
    ),
    cap_on_shares=False,
)

V36 = Rules(
    version="3.6",
    compounded_interest=interest.compounded_interest_taylor,
    supplied=fixed.ray_mul_floor,
    owed=fixed.ray_mul_ceil,
    debt_value=fixed.mul_div_ceil,
    supply_shares=fixed.ray_div_floor,
    repay_shares=fixed.ray_div_floor,
    seized_shares=fixed.ray_div_ceil,
    averages_threshold=False,
    threshold_zero_counts=True,
    emode_by_bitmap=True,
    close_factor=CloseFactor.BY_TOTAL,
    seized_debt_needed=fixed.percent_div_ceil,
    debt_growth=lambda scaled, before, after: fixed.ray_mul_floor(scaled, after - before),
    cap_on_shares=True,
)

# 3.1 adds virtual accounting, 3.2 e-modes by bitmap: neither changes what an account is worth.
V31 = replace(V302, version="3.1")
V32 = replace(V302, version="3.2", emode_by_bitmap=True)
V33 = replace(V32, version="3.3", close_factor=CloseFactor.BY_TOTAL, dust_counts_fee=False)
V34 = replace(
    V33, version="3.4", compounded_interest=interest.compounded_interest_taylor, dust_counts_fee=True
)
V35 = replace(V36, version="3.5", threshold_zero_counts=False)
V37 = replace(
    V36,
    version="3.7",
    seized=fixed.percent_mul_floor,
    seized_base=fixed.percent_div_floor,
    fee=fixed.percent_mul_ceil,
)

# POOL_REVISION → arithmetic to try. core-v3 says 1 (older tags 2); Origin counts on from 4, 3.2.1 being 6.
BY_REVISION: dict[int, Rules] = {
    1: V302,
    2: V302,
    4: V31,
    5: V32,
    6: V32,
    7: V33,
    8: V34,
    9: V35,
    10: V36,
    11: V37,
}
