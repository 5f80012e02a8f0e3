"""How much of a debt one liquidation may repay, and how little it may leave."""

from __future__ import annotations

from keeper.margin.lending.aave.fixed import WAD, percent_mul_half_up
from keeper.margin.lending.aave.rules import CloseFactor, Rules
from keeper.margin.lending.aave.state import AccountData

HALF = 5_000
WHOLE_CLOSE_HEALTH = 95 * WAD // 100
WHOLE_CLOSE_BASE = 2_000 * 10**8
MIN_LEFTOVER_BASE = WHOLE_CLOSE_BASE // 2


def max_liquidatable(
    *,
    owed: int,
    owed_base: int,
    supplied_base: int,
    data: AccountData,
    price: int,
    unit: int,
    rules: Rules,
    whole_below: int = WHOLE_CLOSE_BASE,
) -> int:
    """The most of a debt (token units) that one call may repay.

    Up to health 0.95 all of it. Above, half of it, half up (to 3.2); or as much as half of the account's
    whole debt is worth, rounded down, and all where this debt or this collateral is worth less than
    `whole_below` (3.3 and later; base currency).
    """
    if data.health <= WHOLE_CLOSE_HEALTH:
        return owed
    if rules.close_factor is CloseFactor.BY_RESERVE:
        return percent_mul_half_up(owed, HALF)
    half = percent_mul_half_up(data.debt, HALF)
    if min(owed_base, supplied_base) < whole_below or owed_base <= half:
        return owed
    return half * unit // price


def largest_partial(base: int, leftover: int = MIN_LEFTOVER_BASE) -> int:
    """The most of a side's value that may be taken without taking all (3.3 and later; base currency)."""
    return max(0, base - leftover)
