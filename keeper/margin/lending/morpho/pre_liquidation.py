"""Morpho's pre-liquidation: a milder liquidation between preLLTV and LLTV, factors linear in LTV.

Source: morpho-org/pre-liquidation, src/PreLiquidation.sol; default parameters from morpho-org/sdks,
packages/blue-sdk/src/preLiquidation.ts. Everything in wad.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Provenance
from keeper.margin.lending.morpho.market import MarketState, MarketTerms
from keeper.margin.lending.morpho.position import (
    Position,
    borrowed_up,
    collateral_value_down,
    ltv_up,
    seized_down,
)
from keeper.margin.rounding import WAD, wad_div_down, wad_mul_down

SDK_DEFAULTS = Provenance("1", date(2025, 1, 20), "morpho-org/sdks, packages/blue-sdk/src/preLiquidation.ts")


@dataclass(frozen=True, slots=True)
class PreLiquidationTerms:
    """preLLTV, and close factor (lcf) and incentive factor (lif) at preLLTV (1) and at LLTV (2), wad."""

    pre_lltv: int
    pre_lcf_1: int
    pre_lcf_2: int
    pre_lif_1: int
    pre_lif_2: int
    provenance: Provenance = SDK_DEFAULTS

    def __post_init__(self) -> None:
        for name in ("pre_lltv", "pre_lcf_1", "pre_lcf_2", "pre_lif_1", "pre_lif_2"):
            natural(getattr(self, name), name)
        if self.pre_lcf_1 > self.pre_lcf_2:
            raise MarginError("must not exceed pre_lcf_2", field="pre_lcf_1")
        if self.pre_lcf_1 > WAD:
            raise MarginError("must not exceed 1e18", field="pre_lcf_1")
        if not WAD <= self.pre_lif_1 <= self.pre_lif_2:
            raise MarginError("must be between 1e18 and pre_lif_2", field="pre_lif_1")

    def close_factor_down(self, quotient: int) -> int:
        """Close factor at `quotient` (wad) of the way from preLLTV to LLTV."""
        return self.pre_lcf_1 + wad_mul_down(quotient, self.pre_lcf_2 - self.pre_lcf_1)

    def incentive_factor_down(self, quotient: int) -> int:
        """Incentive factor at `quotient` (wad) of the way from preLLTV to LLTV."""
        return self.pre_lif_1 + wad_mul_down(quotient, self.pre_lif_2 - self.pre_lif_1)


def _default(pre_lltv: int, lcf_1: int, lcf_2: int, lif: int) -> PreLiquidationTerms:
    return PreLiquidationTerms(pre_lltv, lcf_1, lcf_2, lif, lif)


_DEFAULTS = {
    385_000_000_000_000_000: _default(
        301_514_568_055_515_563, 22_637_943_984_157_107, 349_673_199_983_645_648, 1_150_000_000_000_000_000
    ),
    625_000_000_000_000_000: _default(
        562_591_950_487_445_723, 7_543_182_567_291_709, 279_542_312_587_328_718, 1_126_760_563_380_281_690
    ),
    770_000_000_000_000_000: _default(
        727_366_070_175_296_029, 3_706_417_131_700_377, 256_643_181_309_902_852, 1_074_113_856_068_743_286
    ),
    860_000_000_000_000_000: _default(
        832_603_694_978_499_652, 2_001_493_508_968_667, 245_311_807_032_632_372, 1_043_841_336_116_910_229
    ),
    915_000_000_000_000_000: _default(
        897_868_776_651_447_149, 1_135_586_186_384_195, 239_205_538_157_954_887, 1_026_167_265_264_238_070
    ),
    945_000_000_000_000_000: _default(
        933_746_617_913_300_027, 709_220_796_660_800, 236_098_907_251_355_946, 1_016_776_817_488_561_260
    ),
    965_000_000_000_000_000: _default(
        957_768_981_497_388_846, 441_038_514_876_104, 234_108_264_807_531_861, 1_010_611_419_909_044_972
    ),
    980_000_000_000_000_000: _default(
        975_838_577_830_248_552, 247_773_050_273_784, 232_655_340_599_010_079, 1_006_036_217_303_822_937
    ),
}


def default_terms(lltv: int) -> PreLiquidationTerms:
    """The SDK's published terms for an enabled LLTV (wad); MarginError for any other."""
    if lltv not in _DEFAULTS:
        raise MarginError(
            f"no published pre-liquidation terms for {lltv}",
            field="lltv",
            remedy="Read the terms from the PreLiquidation contract.",
        )
    return _DEFAULTS[lltv]


def is_pre_liquidatable(
    position: Position, market: MarketState, price: int, terms: MarketTerms, pre: PreLiquidationTerms
) -> bool:
    """Whether the debt lies in (preLLTV, LLTV] of the collateral's value at the pre-oracle's `price`."""
    debt, value = borrowed_up(position, market), collateral_value_down(position.collateral, price)
    return wad_mul_down(value, pre.pre_lltv) < debt <= wad_mul_down(value, terms.lltv)


def pre_seizable(
    position: Position, market: MarketState, price: int, terms: MarketTerms, pre: PreLiquidationTerms
) -> int:
    """Collateral units that the largest allowed pre-liquidation seizes; 0 outside its window."""
    if pre.pre_lltv >= terms.lltv:
        raise MarginError("must be below the market's lltv", field="pre_lltv")
    if not is_pre_liquidatable(position, market, price, terms, pre):
        return 0
    above = ltv_up(position, market, price) - pre.pre_lltv
    quotient = wad_div_down(above, terms.lltv - pre.pre_lltv)
    shares = wad_mul_down(position.borrow_shares, pre.close_factor_down(quotient))
    return seized_down(shares, market, price, pre.incentive_factor_down(quotient))
