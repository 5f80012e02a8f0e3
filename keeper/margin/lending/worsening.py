"""Accounts that liquidation makes worse: beyond LTV = 1/incentive, each call raises the LTV that remains.

A call repays x of debt D and takes x·incentive of collateral C (in value). (D − x)/(C − x·incentive) exceeds
D/C exactly where D·incentive > C. Such an account ends in bad debt unless it is topped up or repaid.
"""

from __future__ import annotations

from fractions import Fraction

from keeper.margin.checks import natural


def worsening_ltv(incentive: int, unit: int) -> Fraction:
    """The LTV beyond which liquidation raises it: unit/incentive, exact (1.05e18 of 1e18, 10500 of 10000)."""
    return Fraction(unit, natural(incentive, "incentive"))


def liquidation_worsens(debt: int, collateral: int, incentive: int, unit: int) -> bool:
    """Whether liquidation raises the LTV of an account with this debt and collateral (in one currency)."""
    return natural(debt, "debt") * natural(incentive, "incentive") > natural(collateral, "collateral") * unit
