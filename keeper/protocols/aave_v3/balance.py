"""All accounts together against the pool's own totals: shows what an event withheld left behind."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.protocols.aave_v3.lens import PoolState


def unbalanced(state: PoolState, sums: Mapping[str, int]) -> str:
    """The first reserve whose total our accounts contradict, with both numbers.

    Scaled totals are sums of scaled balances, which no rounding touches: variable debt must be equal to the
    unit. Collateral may be less than the supply, as supplies that are not used as collateral are not kept.
    """
    for reserve in state.market.reserves.values():
        debt = sums.get(f"debt:{reserve.id}", 0)
        if debt != reserve.scaled_variable_debt:
            return (
                f"all accounts owe {debt} scaled units of {reserve.asset}, its debt token counts "
                f"{reserve.scaled_variable_debt}"
            )
        collateral = sums.get(f"collateral:{reserve.id}", 0)
        if collateral > reserve.scaled_supply:
            return (
                f"all accounts hold {collateral} scaled units of {reserve.asset} as collateral, its aToken "
                f"counts {reserve.scaled_supply}"
            )
    return ""
