"""Whether a liquidation uses up a collateral, which turns the remaining debt into a deficit (3.7)."""

from __future__ import annotations

from keeper.margin.lending.aave.fixed import ray_div_ceil
from keeper.margin.lending.aave.liquidation import Outcome


def emptied_by_shares(outcome: Outcome, scaled_collateral: int, income: int) -> bool:
    """Whether liquidator's and treasury's parts, each rounded up to scaled units, use up the balance (3.7).

    Balance and income are of the seized reserve; the contract also requires that no other collateral remains.
    """
    fee = outcome.seized - outcome.received
    taken = ray_div_ceil(outcome.received, income) + ray_div_ceil(fee, income)
    return taken >= scaled_collateral
