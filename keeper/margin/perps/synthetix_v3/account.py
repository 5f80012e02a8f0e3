"""An account's required and available margin, liquidation and keeper rewards, and whether it is liquidatable.

Source: Synthetixio/synthetix-v3, markets/perps-market/contracts/storage (PerpsMarketConfiguration,
GlobalPerpsMarketConfiguration, PerpsAccount). Everything 18 decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.interface import Provenance, Requirement
from keeper.margin.perps.synthetix_v3.market import liquidation_windows, position_pnl
from keeper.margin.rounding import WAD, wad_div_trunc, wad_mul_trunc

BFP = Provenance("3", date(2024, 3, 1), "Synthetixio/synthetix-v3@23585f73, markets/perps-market")


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """One market's margin parameters; `window_max` is the most size liquidated per window (0: no limit)."""

    skew_scale: int
    initial_ratio: int
    min_initial_ratio: int
    maintenance_scalar: int
    min_position_margin: int = 0
    flag_reward_ratio: int = 0
    window_max: int = 0
    provenance: Provenance = BFP

    def __post_init__(self) -> None:
        for name in (
            "skew_scale",
            "initial_ratio",
            "min_initial_ratio",
            "maintenance_scalar",
            "min_position_margin",
            "flag_reward_ratio",
            "window_max",
        ):
            natural(getattr(self, name), name)
        if self.maintenance_scalar > WAD:
            raise MarginError("must not exceed 1e18: maintenance above initial", field="maintenance_scalar")


@dataclass(frozen=True, slots=True)
class KeeperTerms:
    """Bounds of a keeper's reward, and its costs of flagging and liquidating, in USD; ratios 1e18."""

    min_reward: int
    max_reward: int
    min_profit_ratio: int = 0
    max_scaling_ratio: int = WAD
    flag_cost: int = 0
    liquidate_cost: int = 0
    collateral_reward_ratio: int = 0
    """Share of the collateral's value, from version 3.13.0 on (`cross_margin`)."""
    provenance: Provenance = BFP

    def __post_init__(self) -> None:
        for name in (
            "min_reward",
            "max_reward",
            "min_profit_ratio",
            "max_scaling_ratio",
            "flag_cost",
            "liquidate_cost",
            "collateral_reward_ratio",
        ):
            natural(getattr(self, name), name)


NO_KEEPER = KeeperTerms(0, 0)


@dataclass(frozen=True, slots=True)
class Position:
    """Signed `size` opened at `entry_price`, now at index `price`; `funding` since then, per unit of size."""

    size: int
    entry_price: int
    price: int
    terms: MarketTerms
    funding: int = 0

    def __post_init__(self) -> None:
        integer(self.size, "size")
        natural(self.entry_price, "entry_price")
        natural(self.price, "price")

    @property
    def notional(self) -> int:
        return wad_mul_trunc(abs(self.size), self.price)

    @property
    def pnl(self) -> int:
        return position_pnl(self.size, self.entry_price, self.price, 0, self.funding)


def margin_ratios(size: int, terms: MarketTerms) -> tuple[int, int]:
    """(initial, maintenance) ratios: |size|/scale·ratio + minimum, and that times the scalar."""
    impact = wad_div_trunc(abs(size), terms.skew_scale) if terms.skew_scale else 0
    initial = wad_mul_trunc(impact, terms.initial_ratio) + terms.min_initial_ratio
    return initial, wad_mul_trunc(initial, terms.maintenance_scalar)


def position_margins(position: Position) -> tuple[int, int]:
    """(initial, maintenance) margin of one position: both with the flat minimum, without rewards."""
    initial, maintenance = margin_ratios(position.size, position.terms)
    flat = position.terms.min_position_margin
    return (
        wad_mul_trunc(position.notional, initial) + flat,
        wad_mul_trunc(position.notional, maintenance) + flat,
    )


def keeper_reward(rewards: int, cost: int, keeper: KeeperTerms, collateral: int = 0) -> int:
    """min(max(cost + min, cost·(1 + profit ratio), rewards + cost), cap).

    The cap is the configured maximum, and collateral·scaling ratio where collateral is not zero.
    """
    floor = max(cost + keeper.min_reward, wad_mul_trunc(cost, WAD + keeper.min_profit_ratio))
    cap = keeper.max_reward
    if natural(collateral, "collateral"):
        cap = min(cap, wad_mul_trunc(collateral, keeper.max_scaling_ratio))
    return min(max(floor, rewards + cost), cap)


def liquidation_reward(positions: Sequence[Position], collateral: int, keeper: KeeperTerms) -> int:
    """Total reward to keepers for flagging the account and liquidating it window by window."""
    flags = sum(wad_mul_trunc(each.notional, each.terms.flag_reward_ratio) for each in positions)
    windows = max((liquidation_windows(each.size, each.terms.window_max) for each in positions), default=0)
    flagging = keeper_reward(flags, keeper.flag_cost, keeper, collateral)
    further = keeper_reward(0, keeper.liquidate_cost, keeper) * (windows - 1) if windows else 0
    return flagging + further


def available_margin(positions: Sequence[Position], collateral: int) -> int:
    """Collateral value plus profit and loss of all positions; may be negative."""
    return collateral + sum(each.pnl for each in positions)


def requirement(
    positions: Sequence[Position], collateral: int, keeper: KeeperTerms = NO_KEEPER
) -> Requirement:
    """Requirement in USD, both with the liquidation reward. Liquidatable iff equity < maintenance and
    positions exist."""
    held = [each for each in positions if each.size]
    margins = [position_margins(each) for each in held]
    initial, maintenance = sum(one for one, _ in margins), sum(other for _, other in margins)
    reward = liquidation_reward(held, collateral, keeper) if held else 0
    return Requirement(
        initial=initial + reward,
        maintenance=maintenance + reward,
        equity=available_margin(held, collateral),
        parts={
            "initial_ex_reward": initial,
            "maintenance_ex_reward": maintenance,
            "liquidation_reward": reward,
            "pnl": sum(each.pnl for each in held),
            "collateral": collateral,
        },
    )


def is_liquidatable(positions: Sequence[Position], collateral: int, keeper: KeeperTerms = NO_KEEPER) -> bool:
    """Whether maintenance + reward > available margin, strictly, with a position open."""
    held = [each for each in positions if each.size]
    if not held:
        return False
    needed = sum(position_margins(each)[1] for each in held)
    return needed + liquidation_reward(held, collateral, keeper) > available_margin(held, collateral)
