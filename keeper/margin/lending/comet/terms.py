"""Parameters of a Comet, per market and per collateral. Factors and rates in 1e18, prices in 1e8.

Source: compound-finance/comet, contracts/Comet.sol and CometConfiguration.sol.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Provenance

FACTOR_SCALE = 10**18
PRICE_SCALE = 10**8
BASE_INDEX_SCALE = 10**15
SECONDS_PER_YEAR = 365 * 24 * 3600

COMET = Provenance("3", date(2022, 8, 26), "compound-finance/comet, contracts/Comet.sol")


@dataclass(frozen=True, slots=True)
class CollateralTerms:
    """One collateral: `scale` is 10^decimals; borrow ≤ liquidate collateral factor, all factors ≤ 1e18."""

    scale: int
    borrow_cf: int
    liquidate_cf: int
    liquidation_factor: int

    def __post_init__(self) -> None:
        if natural(self.scale, "scale") == 0:
            raise MarginError("must be above zero", field="scale")
        for name in ("borrow_cf", "liquidate_cf", "liquidation_factor"):
            if natural(getattr(self, name), name) > FACTOR_SCALE:
                raise MarginError("must not exceed 1e18", field=name)
        if self.borrow_cf > self.liquidate_cf:
            raise MarginError("must not exceed liquidate_cf", field="borrow_cf")


@dataclass(frozen=True, slots=True)
class CometTerms:
    """The market: `base_scale` is 10^decimals of the base token; `target_reserves` in its units."""

    base_scale: int
    store_front_price_factor: int = FACTOR_SCALE
    target_reserves: int = 0
    provenance: Provenance = COMET

    def __post_init__(self) -> None:
        if natural(self.base_scale, "base_scale") == 0:
            raise MarginError("must be above zero", field="base_scale")
        if natural(self.store_front_price_factor, "store_front_price_factor") > FACTOR_SCALE:
            raise MarginError("must not exceed 1e18", field="store_front_price_factor")
        natural(self.target_reserves, "target_reserves")


def mul_factor_down(value: int, factor: int) -> int:
    """⌊value·factor / 1e18⌋."""
    return value * factor // FACTOR_SCALE
