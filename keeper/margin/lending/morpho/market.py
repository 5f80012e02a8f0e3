"""A Morpho Blue market's state and the accrual of interest.

Source: morpho-org/morpho-blue 1.0.0, src/Morpho.sol (`_accrueInterest`) and src/libraries/MathLib.sol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

from keeper.margin.checks import natural, within
from keeper.margin.interface import Provenance
from keeper.margin.lending.morpho.shares import to_shares_down
from keeper.margin.rounding import WAD, mul_div_down, wad_div_down, wad_mul_down

ORACLE_PRICE_SCALE = 10**36
LIQUIDATION_CURSOR = 3 * WAD // 10
MAX_LIQUIDATION_INCENTIVE_FACTOR = 115 * WAD // 100
SECONDS_PER_YEAR = 365 * 24 * 3600
MAX_UINT256 = 2**256 - 1

BLUE_1_0 = Provenance("1.0.0", date(2024, 1, 10), "morpho-org/morpho-blue, src/Morpho.sol")


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """A market's immutable `lltv` in wad (below 1e18), and the constants of the incentive, in wad."""

    lltv: int
    cursor: int = LIQUIDATION_CURSOR
    max_incentive: int = MAX_LIQUIDATION_INCENTIVE_FACTOR
    provenance: Provenance = BLUE_1_0

    def __post_init__(self) -> None:
        within(natural(self.lltv, "lltv"), 0, WAD - 1, "lltv")
        within(natural(self.cursor, "cursor"), 0, WAD, "cursor")
        natural(self.max_incentive, "max_incentive")

    @property
    def incentive_factor(self) -> int:
        """LIF = min(max, 1 / (1 − cursor·(1 − LLTV))), wad, rounded down at each step."""
        divisor = WAD - wad_mul_down(self.cursor, WAD - self.lltv)
        return min(self.max_incentive, wad_div_down(WAD, divisor))


@dataclass(frozen=True, slots=True)
class MarketState:
    """Totals of a market at `last_update` (seconds): assets in loan token units; `fee` in wad."""

    total_supply_assets: int
    total_supply_shares: int
    total_borrow_assets: int
    total_borrow_shares: int
    last_update: int = 0
    fee: int = 0

    def __post_init__(self) -> None:
        for name in (
            "total_supply_assets",
            "total_supply_shares",
            "total_borrow_assets",
            "total_borrow_shares",
            "last_update",
        ):
            natural(getattr(self, name), name)
        within(natural(self.fee, "fee"), 0, WAD // 4, "fee")

    @property
    def utilization(self) -> int:
        """⌊borrowed / supplied⌋ in wad; zero for an empty market, 2²⁵⁶−1 if only debt is left."""
        if self.total_supply_assets == 0:
            return MAX_UINT256 if self.total_borrow_assets else 0
        return wad_div_down(self.total_borrow_assets, self.total_supply_assets)


def taylor_compounded_down(rate: int, elapsed: int) -> int:
    """e^(rate·elapsed) − 1 in wad by three Taylor terms, each rounded down; `rate` in wad per second."""
    first = rate * elapsed
    second = mul_div_down(first, first, 2 * WAD)
    third = mul_div_down(second, first, 3 * WAD)
    return first + second + third


def accrue(market: MarketState, borrow_rate: int, timestamp: int) -> MarketState:
    """The market at `timestamp` under an average `borrow_rate` (wad per second) since its last update."""
    elapsed = natural(timestamp - market.last_update, "timestamp")
    interest = wad_mul_down(market.total_borrow_assets, taylor_compounded_down(borrow_rate, elapsed))
    supplied = market.total_supply_assets + interest
    fee_amount = wad_mul_down(interest, market.fee)
    fee_shares = to_shares_down(fee_amount, supplied - fee_amount, market.total_supply_shares)
    return replace(
        market,
        total_supply_assets=supplied,
        total_supply_shares=market.total_supply_shares + fee_shares,
        total_borrow_assets=market.total_borrow_assets + interest,
        last_update=timestamp,
    )


def rate_to_apy(rate: int) -> float:
    """Annual yield e^(rate·year) − 1 of a rate in wad per second; a float, for display only."""
    return math.expm1(rate * SECONDS_PER_YEAR / WAD)
