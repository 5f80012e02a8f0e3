"""Whether a liquidation leaves a collateral empty, which turns the debt left over into a deficit (3.7)."""

from __future__ import annotations

from keeper.margin.lending.aave.fixed import ray_div_ceil
from keeper.margin.lending.aave.liquidation import Outcome


def emptied_by_shares(outcome: Outcome, scaled_collateral: int, income: int) -> bool:
    """3.7: what liquidator and treasury are to take, each rounded up to scaled units, uses the balance up.

    Of the reserve being seized; the contract asks besides that no other collateral is left.
    """
    fee = outcome.seized - outcome.received
    taken = ray_div_ceil(outcome.received, income) + ray_div_ceil(fee, income)
    return taken >= scaled_collateral
