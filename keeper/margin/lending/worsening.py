"""Accounts whose liquidation makes them worse: past LTV = 1/incentive each call raises the LTV it leaves.

A call repays x of debt D and takes x·incentive of collateral C (in value). (D − x)/(C − x·incentive) exceeds
D/C exactly where D·incentive > C. Such an account ends in bad debt unless it is topped up or repaid.
"""

from __future__ import annotations

from fractions import Fraction

from keeper.margin.checks import natural


def worsening_ltv(incentive: int, unit: int) -> Fraction:
    """The LTV past which liquidation worsens it: unit/incentive (1.05e18 of 1e18, 10500 of 10000)."""
    return Fraction(unit, natural(incentive, "incentive"))


def liquidation_worsens(debt: int, collateral: int, incentive: int, unit: int) -> bool:
    """Whether an account with this debt and collateral (one currency) gets worse by being liquidated."""
    return natural(debt, "debt") * natural(incentive, "incentive") > natural(collateral, "collateral") * unit
