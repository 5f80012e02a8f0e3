"""How much more an account may borrow, as `getUserAccountData` returns it besides health."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.margin.lending.aave.fixed import percent_mul_floor, percent_mul_half_up
from keeper.margin.lending.aave.rules import Rules


def average_down(weighted: Iterable[tuple[int, int]]) -> int:
    """⌊Σ value·bps / Σ value⌋ of (value, bps) pairs: the average LTV or threshold; 0 without value."""
    pairs = list(weighted)
    total = sum(value for value, _ in pairs)
    return sum(value * share for value, share in pairs) // total if total else 0


def available_borrows(collateral: int, debt: int, ltv: int, rules: Rules) -> int:
    """collateral·LTV − debt, not below zero; base currency. The product is rounded half up in versions to
    3.4, down from 3.5 on."""
    share = percent_mul_half_up if rules.averages_threshold else percent_mul_floor
    return max(0, share(collateral, ltv) - debt)
