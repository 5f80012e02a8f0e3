"""Refusals that mean: somebody else did it, or it is no longer needed. They are no failures."""

from __future__ import annotations

# Error names of the protocols' own tables in `abis/`; what a liquidation answers when the account is well.
_NO_LONGER_NEEDED = (
    "HEALTH_FACTOR_NOT_BELOW_THRESHOLD",
    "HealthFactorNotBelowThreshold",
    "SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER",
    "SpecifiedCurrencyNotBorrowedByUser",
    "COLLATERAL_CANNOT_BE_LIQUIDATED",
    "CollateralCannotBeLiquidated",
    "NothingToLiquidate",
    "nothing to liquidate",
)


def is_obsolete(problem: str) -> bool:
    """Whether a rehearsal's problem says that the plan has become needless."""
    return any(name in problem for name in _NO_LONGER_NEEDED)
