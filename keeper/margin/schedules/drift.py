"""Drift v2's weights by size, as integers: margin ratios and liability weights grow, asset weights shrink.

Sizes in 1e9 base units, weights and ratios in 1e4, `imf_factor` in 1e6, PnL in 1e6 quote units; every
division truncates. Source: drift-labs/protocol-v2, programs/drift/src/math/margin.rs and src/state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import isqrt

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.interface import Provenance, Requirement

WEIGHT_PRECISION = 10**4
IMF_PRECISION = 10**6
SIZE_PRECISION = 10**9
QUOTE_TO_SIZE = 10**3
ROOT_SCALE = 10**5

DRIFT_V2 = Provenance("2", date(2024, 1, 1), "drift-labs/protocol-v2@0ae3e3b1")


def size_root_down(size: int) -> int:
    """⌊√(10·size + 1)⌋: the square root of a size in coins, scaled by 1e5."""
    return isqrt(10 * natural(size, "size") + 1)


def liability_weight(size: int, imf_factor: int, weight: int) -> int:
    """max(w, w − w/5 + √size·imf), 1e4; also the margin ratio of a perpetual position."""
    natural(weight, "weight")
    if natural(imf_factor, "imf_factor") == 0:
        return weight
    scale = ROOT_SCALE * IMF_PRECISION // WEIGHT_PRECISION
    return max(weight, weight - weight // 5 + size_root_down(size) * imf_factor // scale)


def asset_weight(size: int, imf_factor: int, weight: int) -> int:
    """min(w, 1.1 / (1 + imf·√size)), 1e4."""
    natural(weight, "weight")
    if natural(imf_factor, "imf_factor") == 0:
        return weight
    numerator = (IMF_PRECISION + IMF_PRECISION // 10) * WEIGHT_PRECISION
    return min(weight, numerator // (IMF_PRECISION + size_root_down(size) * imf_factor // ROOT_SCALE))


def scaled_initial_asset_weight(weight: int, deposit_value: int, scale_start: int) -> int:
    """w·start/deposits where the market's deposits are worth more than `scale_start` (0: never), else w.

    The weight in 1e4, deposits and start in 1e6 quote units.
    """
    natural(deposit_value, "deposit_value")
    if natural(scale_start, "scale_start") == 0 or deposit_value < scale_start:
        return weight
    return weight * scale_start // deposit_value


def unrealized_pnl_asset_weight(
    pnl: int, imf_factor: int, weight: int, *, net_user_pnl: int = 0, max_imbalance: int = 0
) -> int:
    """Initial weight (1e4) of unrealised PnL (1e6 quote): `asset_weight` of a profit, 1 of a loss.

    Where the market's net PnL exceeds `max_imbalance` (0: no limit), the base weight is first scaled down by
    their quotient.
    """
    natural(weight, "weight")
    if weight and max_imbalance and net_user_pnl > max_imbalance:
        weight = weight * max_imbalance // net_user_pnl
    if integer(pnl, "pnl") <= 0:
        return WEIGHT_PRECISION
    return asset_weight(pnl * QUOTE_TO_SIZE, imf_factor, weight)


@dataclass(frozen=True, slots=True)
class PerpTerms:
    """A perpetual market's ratios (1e4), imf factors (1e6) and weights of unrealised PnL (1e4)."""

    initial_ratio: int
    maintenance_ratio: int
    imf_factor: int = 0
    pnl_initial_weight: int = WEIGHT_PRECISION
    pnl_maintenance_weight: int = WEIGHT_PRECISION
    pnl_imf_factor: int = 0
    provenance: Provenance = DRIFT_V2

    def __post_init__(self) -> None:
        if not 0 < natural(self.maintenance_ratio, "maintenance_ratio") <= self.initial_ratio:
            raise MarginError("must be above zero and at most initial_ratio", field="maintenance_ratio")
        for name in ("imf_factor", "pnl_initial_weight", "pnl_maintenance_weight", "pnl_imf_factor"):
            natural(getattr(self, name), name)


def requirement(size: int, price: int, pnl: int, collateral: int, terms: PerpTerms) -> Requirement:
    """One perpetual position (signed size 1e9, price 1e6) beside quote collateral; 1e6 quote units.

    Equity counts unrealised PnL at its maintenance weight; what the initial weight takes off beyond that is
    added to `initial`, so that equity ≥ initial is the protocol's own initial check.
    """
    coins, value = abs(integer(size, "size")), abs(size) * natural(price, "price") // SIZE_PRECISION
    initial_ratio = liability_weight(coins, terms.imf_factor, terms.initial_ratio)
    maintenance_ratio = liability_weight(coins, terms.imf_factor, terms.maintenance_ratio)
    kept = pnl * terms.pnl_maintenance_weight // WEIGHT_PRECISION if pnl > 0 else pnl
    weight = unrealized_pnl_asset_weight(pnl, terms.pnl_imf_factor, terms.pnl_initial_weight)
    initially = pnl * weight // WEIGHT_PRECISION if pnl > 0 else pnl
    return Requirement(
        initial=value * initial_ratio // WEIGHT_PRECISION + kept - initially,
        maintenance=value * maintenance_ratio // WEIGHT_PRECISION,
        equity=collateral + kept,
        parts={
            "value": value,
            "initial_ratio": initial_ratio,
            "maintenance_ratio": maintenance_ratio,
            "pnl_initial_weight": weight,
        },
    )
