"""dYdX v4's liquidation prices: bankruptcy, fillable, and what the insurance fund gains or pays.

Source: dydxprotocol/v4-chain, protocol/x/clob/keeper/liquidations.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from keeper.errors import MarginError
from keeper.margin.checks import integer, natural
from keeper.margin.interface import Provenance
from keeper.margin.perps.dydx_v4.risk import Perpetual, Risk, position_risk
from keeper.margin.schedules.dydx_v4 import MILLION

V4_CLOB = Provenance("4", date(2024, 6, 1), "dydxprotocol/v4-chain, x/clob")


@dataclass(frozen=True, slots=True)
class LiquidationTerms:
    """Fillable price and fee parameters, parts per million; the defaults are genesis values."""

    bankruptcy_adjustment_ppm: int = MILLION
    spread_to_mmr_ppm: int = 100_000
    max_liquidation_fee_ppm: int = 5_000
    provenance: Provenance = V4_CLOB

    def __post_init__(self) -> None:
        if natural(self.bankruptcy_adjustment_ppm, "bankruptcy_adjustment_ppm") < MILLION:
            raise MarginError("must be at least 1,000,000 ppm", field="bankruptcy_adjustment_ppm")
        if natural(self.spread_to_mmr_ppm, "spread_to_mmr_ppm") == 0:
            raise MarginError("must be above zero", field="spread_to_mmr_ppm")
        if natural(self.max_liquidation_fee_ppm, "max_liquidation_fee_ppm") > MILLION:
            raise MarginError("must not exceed 1,000,000 ppm", field="max_liquidation_fee_ppm")


GENESIS = LiquidationTerms()


def _check_delta(size: int, delta: int) -> None:
    if size * integer(delta, "delta_quantums") >= 0 or abs(delta) > abs(size):
        raise MarginError(f"{delta} does not reduce a position of {size}", field="delta_quantums")


def _check_maintenance(total: Risk) -> None:
    if total.mmr <= 0:
        raise MarginError("the account requires no maintenance margin", field="positions")


def bankruptcy_price_up(perpetual: Perpetual, size: int, delta: int, total: Risk) -> int:
    """−DNNV − ⌊TNC·|DMMR| / TMMR⌋: quote quantums at which closing `delta` uses up its share of collateral.

    Signed: what a long must receive (positive), what a short pays (negative). D is the change of net
    notional value and maintenance from closing, T the account's total. MarginError where `delta` does not
    reduce the position or the account requires no maintenance.
    """
    _check_delta(size, delta)
    _check_maintenance(total)
    before, after = position_risk(perpetual, size), position_risk(perpetual, size + delta)
    return -(after.nc - before.nc) - total.nc * abs(after.mmr - before.mmr) // total.mmr


def fillable_price(
    perpetual: Perpetual, size: int, total: Risk, terms: LiquidationTerms = GENESIS
) -> Fraction:
    """(PNNV − ABR·SMMR·PMMR) / PS, quote quantums per base quantum, exact.

    ABR, the adjusted bankruptcy rating, is clamp(BA·(1 − TNC/TMMR), 0, 1).
    """
    if integer(size, "size") == 0:
        raise MarginError("is zero: nothing to fill", field="size")
    _check_maintenance(total)
    rating = Fraction(terms.bankruptcy_adjustment_ppm, MILLION) * (1 - Fraction(total.nc, total.mmr))
    rating = min(max(rating, Fraction(0)), Fraction(1))
    own = position_risk(perpetual, size)
    spread = rating * Fraction(terms.spread_to_mmr_ppm, MILLION) * own.mmr
    return (own.nc - spread) / size


def insurance_fund_delta(
    perpetual: Perpetual,
    size: int,
    delta: int,
    fill_quote_quantums: int,
    total: Risk,
    terms: LiquidationTerms = GENESIS,
) -> int:
    """Quote quantums that a fill adds to the insurance fund; negative: the fund pays them.

    `fill_quote_quantums` is unsigned. Of what the fill brings above bankruptcy, the fund takes at most the
    liquidation fee on the fill, rounded down.
    """
    filled = natural(fill_quote_quantums, "fill_quote_quantums")
    received = filled if delta < 0 else -filled
    gained = received - bankruptcy_price_up(perpetual, size, delta, total)
    if gained <= 0:
        return gained
    return min(filled * terms.max_liquidation_fee_ppm // MILLION, gained)
