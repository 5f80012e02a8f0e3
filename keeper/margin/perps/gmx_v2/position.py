"""A GMX v2 position: profit and loss, remaining collateral, and whether it is liquidatable.

USD has 30 decimals; a token's price has 30 − its decimals, so that amount·price is USD.
Source: gmx-io/gmx-synthetics, contracts/position/PositionUtils.sol (`getPositionPnlUsd`,
`isPositionLiquidatable`).
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.perps.gmx_v2.impact import FLOAT_PRECISION, GMX_V2, apply_factor_down
from keeper.margin.rounding import div_trunc


@dataclass(frozen=True, slots=True)
class PositionTerms:
    """`min_collateral_usd` (30 decimals), the minimum collateral factor, and the cap of negative impact at
    liquidation, both as factors of size (1e30)."""

    min_collateral_usd: int
    min_collateral_factor: int
    max_liquidation_impact_factor: int = 0
    provenance: Provenance = GMX_V2

    def __post_init__(self) -> None:
        for name in ("min_collateral_usd", "min_collateral_factor", "max_liquidation_impact_factor"):
            natural(getattr(self, name), name)
        if self.min_collateral_factor > FLOAT_PRECISION:
            raise MarginError("must not exceed 1e30", field="min_collateral_factor")


@dataclass(frozen=True, slots=True)
class Position:
    """Size in USD (at cost) and in index token units, `collateral` in its token's units."""

    is_long: bool
    size_usd: int
    size_tokens: int
    collateral: int

    def __post_init__(self) -> None:
        if natural(self.size_usd, "size_usd") == 0:
            raise MarginError("is zero: an empty position cannot be valued", field="size_usd")
        if natural(self.size_tokens, "size_tokens") == 0:
            raise MarginError("is zero: an empty position cannot be valued", field="size_tokens")
        natural(self.collateral, "collateral")


@dataclass(frozen=True, slots=True)
class Prices:
    """Index and collateral prices, minimum and maximum of the oracle's spread."""

    index_min: int
    index_max: int
    collateral_min: int

    def __post_init__(self) -> None:
        natural(self.index_min, "index_min")
        natural(self.collateral_min, "collateral_min")
        if natural(self.index_max, "index_max") < self.index_min:
            raise MarginError("exceeds index_max", field="index_min")


def position_pnl(
    position: Position, prices: Prices, capped_pool_pnl: int | None = None, pool_pnl: int = 0
) -> int:
    """Profit or loss in signed USD, at the price worse for the trader.

    A profit is scaled by capped_pool_pnl / pool_pnl, rounded down, where the pool's profit exceeds its cap.
    """
    price = prices.index_min if position.is_long else prices.index_max
    value = position.size_tokens * price
    pnl = value - position.size_usd if position.is_long else position.size_usd - value
    if pnl > 0 and capped_pool_pnl is not None and 0 < capped_pool_pnl < pool_pnl:
        return pnl * capped_pool_pnl // pool_pnl
    return pnl


def remaining_collateral(
    position: Position,
    prices: Prices,
    terms: PositionTerms,
    price_impact: int = 0,
    fees: int = 0,
    pnl: int | None = None,
) -> int:
    """collateral + PnL + impact − fees, USD, may be negative. Only negative impact counts, down to its cap.

    `fees` in collateral token units (closing, borrowing, funding); `pnl` replaces the position's own.
    """
    floor = -apply_factor_down(position.size_usd, terms.max_liquidation_impact_factor)
    counted = max(min(integer(price_impact, "price_impact"), 0), floor)
    profit = position_pnl(position, prices) if pnl is None else pnl
    held = position.collateral * prices.collateral_min
    return held + profit + counted - natural(fees, "fees") * prices.collateral_min


def liquidation_reason(remaining: int, position: Position, terms: PositionTerms) -> str | None:
    """Why the position is liquidatable with this much collateral remaining (USD), the contract's checks in
    their order; None if it is not."""
    if remaining < terms.min_collateral_usd:
        return "min collateral"
    if remaining <= 0:
        return "< 0"
    if remaining < apply_factor_down(position.size_usd, terms.min_collateral_factor):
        return "min collateral for leverage"
    return None


def requirement(
    position: Position,
    prices: Prices,
    terms: PositionTerms,
    price_impact: int = 0,
    fees: int = 0,
    pnl: int | None = None,
) -> Requirement:
    """Requirement in USD, 30 decimals: liquidatable iff equity < maintenance (which is at least one unit)."""
    needed = max(
        terms.min_collateral_usd, apply_factor_down(position.size_usd, terms.min_collateral_factor), 1
    )
    remaining = remaining_collateral(position, prices, terms, price_impact, fees, pnl)
    return Requirement(
        initial=needed,
        maintenance=needed,
        equity=remaining,
        parts={
            "collateral": position.collateral * prices.collateral_min,
            "pnl": position_pnl(position, prices) if pnl is None else pnl,
            "fees": fees * prices.collateral_min,
            "leverage": div_trunc(position.size_usd * FLOAT_PRECISION, remaining) if remaining > 0 else 0,
        },
    )
