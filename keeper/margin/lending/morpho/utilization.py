"""Amounts that bring a market's utilization to a target, rounded so that the target is not overshot.

Source: morpho-org/sdks, packages/blue-sdk/src/market/MarketUtils.ts. Targets in wad, amounts in loan token.
"""

from __future__ import annotations

from keeper.margin.lending.morpho.market import MAX_UINT256, MarketState
from keeper.margin.rounding import wad_div_up, wad_mul_down


def supply_to(market: MarketState, target: int) -> int:
    """Least supply that lowers utilization to `target`; 0: it is lower already, 2²⁵⁶−1: no supply does."""
    if target == 0:
        return MAX_UINT256 if market.utilization else 0
    return max(0, wad_div_up(market.total_borrow_assets, target) - market.total_supply_assets)


def withdraw_to(market: MarketState, target: int) -> int:
    """Most that can be withdrawn until utilization reaches `target`."""
    if target == 0:
        return 0 if market.total_borrow_assets else market.total_supply_assets
    return max(0, market.total_supply_assets - wad_div_up(market.total_borrow_assets, target))


def borrow_to(market: MarketState, target: int) -> int:
    """Most that can be borrowed until utilization reaches `target`."""
    return max(0, wad_mul_down(market.total_supply_assets, target) - market.total_borrow_assets)


def repay_to(market: MarketState, target: int) -> int:
    """Least repayment that lowers utilization to `target`."""
    return max(0, market.total_borrow_assets - wad_mul_down(market.total_supply_assets, target))
