"""Perpetual exchanges, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from keeper.margin.perps.dydx_v4 import liquidation as dydx_liquidation
from keeper.margin.perps.dydx_v4 import risk as dydx
from keeper.margin.perps.gmx_v2 import impact
from keeper.margin.perps.gmx_v2 import position as gmx
from keeper.margin.perps.synthetix_v3 import account as snx
from keeper.margin.perps.synthetix_v3 import market as snx_market
from keeper.margin.rounding import WAD
from keeper.margin.schedules.dydx_v4 import LiquidityTier
from tests.unit.margin.vector_files import Vector

Outputs = Mapping[str, Any]


def scaled(figure: Any, unit: int) -> int:
    return int(Fraction(str(figure)) * unit)


def wad(figure: Any) -> int:
    return scaled(figure, WAD)


def unwad(figure: int) -> Fraction:
    return Fraction(figure, WAD)


# Synthetix v3


def _snx_terms(raw: Mapping[str, Any]) -> snx.MarketTerms:
    return snx.MarketTerms(
        wad(raw["skew_scale"]),
        wad(raw["im_ratio"]),
        wad(raw["min_im"]),
        wad(raw["mm_scalar"]),
        wad(raw.get("min_position_margin", 0)),
        wad(raw.get("flag_ratio", 0)),
    )


def _snx_position(raw: Mapping[str, Any], opened: Any, price: Any) -> snx.Position:
    """Opened alone in its market: the skew was zero, so its own size is the premium it paid."""
    size = wad(raw["size"])
    entry = snx_market.fill_price(0, wad(raw["skew_scale"]), size, wad(opened))
    return snx.Position(size, entry, wad(price), _snx_terms(raw))


def snx_margins(vector: Vector) -> Outputs:
    positions = [_snx_position(raw, raw["price"], raw["price"]) for raw in vector.inputs["positions"]]
    needed = snx.requirement(positions, wad(vector.inputs["collateral"]))
    return {
        "im_ex_reward": Fraction(needed.parts["initial_ex_reward"]) / WAD,  # type: ignore[arg-type]
        "mm_ex_reward": Fraction(needed.parts["maintenance_ex_reward"]) / WAD,  # type: ignore[arg-type]
        "available_margin": Fraction(needed.equity) / WAD,  # type: ignore[arg-type]
    }


def snx_pnl(vector: Vector) -> Outputs:
    inputs = vector.inputs
    positions = [
        _snx_position(raw, raw["open_index_price"], price)
        for raw, price in zip(inputs["positions"], inputs["prices"], strict=True)
    ]
    collateral = wad(inputs["collateral"])
    return {
        "pnl": [unwad(each.pnl) for each in positions],
        "available_margin": unwad(snx.available_margin(positions, collateral)),
        "liquidatable": snx.is_liquidatable(positions, collateral),
    }


def snx_fill(vector: Vector) -> Outputs:
    inputs = vector.inputs
    filled = snx_market.fill_price(
        wad(inputs["skew"]), wad(inputs["skew_scale"]), wad(inputs["size"]), wad(inputs["price"])
    )
    return {"fill_price": unwad(filled)}


def snx_funding(vector: Vector) -> Outputs:
    """Each step: time passes, funding accrues at the skew before, then the skew moves."""
    inputs = vector.inputs
    size, price = wad(inputs["trader_size"]), wad(inputs["price"])
    state = snx_market.FundingState(wad(inputs["initial_skew"]))
    skews, paid, rates = [], [], []
    for step in inputs["steps"]:
        time = state.time + scaled(step["days"], snx_market.DAY)
        state = snx_market.accrue(state, price, wad(inputs["skew_scale"]), wad(inputs["max_velocity"]), time)
        paid.append(-unwad(snx_market.position_pnl(size, price, price, 0, state.value)))
        rates.append(unwad(state.rate))
        state = snx_market.FundingState(
            state.skew + wad(step["delta_skew"]), state.rate, state.value, state.time
        )
        skews.append(unwad(state.skew))
    return {"skew": skews, "accrued_paid": paid, "funding_rate": rates}


def snx_keeper(vector: Vector) -> Outputs:
    inputs = vector.inputs
    terms = snx.KeeperTerms(
        int(inputs["min_reward"]), int(inputs["max_reward"]), wad(inputs["min_profit_ratio"])
    )
    return {"reward": snx.keeper_reward(int(inputs["reward_ratio_amount"]), int(inputs["cost"]), terms)}


def snx_window(vector: Vector) -> Outputs:
    """A position liquidated at once, after six seconds and after eleven: what is left each time."""
    inputs = vector.inputs
    window = int(inputs["window_s"])
    most = snx_market.max_liquidation_in_window(
        wad(inputs["maker_fee"]),
        wad(inputs["taker_fee"]),
        wad(inputs["skew_scale"]),
        wad(inputs["multiplier"]),
        window,
    )
    left, after = wad(inputs["size"]), {}
    done: list[tuple[int, int]] = []
    start = 1_000_000
    for key, seconds in (("after_first", 0), ("after_6s", 6), ("after_11s", 11)):
        time = start + seconds
        taken = min(left, snx_market.liquidation_capacity(most, tuple(done), window, time))
        done.append((time, taken))
        left -= taken
        after[key] = unwad(left)
    return {"window_max": unwad(most), **after}


# GMX v2


def gmx_impact(vector: Vector) -> Outputs:
    keys = ("diff_usd", "factor", "exponent")
    return {
        "value": impact.apply_impact_factor(
            *(scaled(vector.inputs[key], impact.FLOAT_PRECISION) for key in keys)
        )
    }


def gmx_liquidatable(vector: Vector) -> Outputs:
    """Collateral in the index token (18 decimals), no fees and no impact configured."""
    inputs = vector.inputs
    usd, token = impact.FLOAT_PRECISION, 10**18
    price = scaled(inputs["price"], usd // token)
    size_usd = scaled(inputs["size_usd"], usd)
    position = gmx.Position(
        inputs["is_long"],
        size_usd,
        size_usd // scaled(inputs["entry"], usd // token),
        scaled(inputs["collateral_eth"], token),
    )
    terms = gmx.PositionTerms(
        scaled(inputs["min_collateral_usd"], usd), scaled(inputs["min_collateral_factor"], usd)
    )
    remaining = gmx.remaining_collateral(position, gmx.Prices(price, price, price), terms)
    return {
        "liquidatable": gmx.liquidation_reason(remaining, position, terms) is not None,
        "remaining_collateral": Fraction(remaining, usd),
    }


# dYdX v4: the source's tests give both markets 20 % initial margin, half of it maintenance

DEFAULT_INITIAL_PPM = 200_000
DEFAULT_FRACTION_PPM = 500_000
QUOTE_QUANTUMS = 10**6
BTC_QUANTUMS = 10**8


def _perpetual(inputs: Mapping[str, Any], quote_per_quantum: int) -> dydx.Perpetual:
    tier = LiquidityTier(
        int(inputs.get("im_ppm", DEFAULT_INITIAL_PPM)),
        int(inputs.get("mm_fraction_ppm", DEFAULT_FRACTION_PPM)),
    )
    return dydx.Perpetual(quote_per_quantum, 0, dydx.QUOTE_ATOMIC_RESOLUTION, tier)


def _dydx_account(inputs: Mapping[str, Any]) -> tuple[dydx.Perpetual, int, dydx.Risk]:
    """(perpetual liquidated, its size, risk of the account)."""
    held = {
        name: (_perpetual(inputs, int(inputs["quote_quantums_per_quantum"][name])), int(quantums))
        for name, quantums in inputs["positions_quantums"].items()
    }
    total = dydx.account_risk(scaled(inputs["quote_usdc"], QUOTE_QUANTUMS), held.values())
    perpetual, size = held[inputs["perpetual"]]
    return perpetual, size, total


def dydx_bankruptcy(vector: Vector) -> Outputs:
    perpetual, size, total = _dydx_account(vector.inputs)
    delta = int(vector.inputs["delta_quantums"])
    return {"bankruptcy_quote_quantums": dydx_liquidation.bankruptcy_price_up(perpetual, size, delta, total)}


def dydx_fillable(vector: Vector) -> Outputs:
    perpetual, size, total = _dydx_account(vector.inputs)
    terms = dydx_liquidation.LiquidationTerms(
        int(vector.inputs["bankruptcy_adjustment_ppm"]), int(vector.inputs["spread_to_mmr_ppm"])
    )
    price = dydx_liquidation.fillable_price(perpetual, size, total, terms)
    return {"numerator": price.numerator, "denominator": price.denominator}


def dydx_insurance(vector: Vector) -> Outputs:
    """The whole position is filled; 1e8 quantums a coin, so the oracle price fixes quote per quantum."""
    inputs = vector.inputs
    size = scaled(inputs["size_btc"], BTC_QUANTUMS) * (1 if inputs["side"] == "long" else -1)
    per_quantum = Fraction(str(inputs["oracle"])) * QUOTE_QUANTUMS / BTC_QUANTUMS
    exponent = 0
    while per_quantum.denominator != 1:
        per_quantum, exponent = per_quantum * 10, exponent - 1
    perpetual = dydx.Perpetual(
        int(per_quantum),
        exponent,
        dydx.QUOTE_ATOMIC_RESOLUTION,
        LiquidityTier(DEFAULT_INITIAL_PPM, DEFAULT_FRACTION_PPM),
    )
    total = dydx.account_risk(scaled(inputs["quote_usdc"], QUOTE_QUANTUMS), [(perpetual, size)])
    fill = int(Fraction(str(inputs["fill_price"])) * abs(size) * QUOTE_QUANTUMS / BTC_QUANTUMS)
    terms = dydx_liquidation.LiquidationTerms(max_liquidation_fee_ppm=int(inputs["max_liquidation_fee_ppm"]))
    return {
        "insurance_fund_delta_quote_quantums": dydx_liquidation.insurance_fund_delta(
            perpetual, size, -size, fill, total, terms
        )
    }


def _listed_perpetual(inputs: Mapping[str, Any]) -> dydx.Perpetual:
    tier = LiquidityTier(
        int(inputs.get("initial_margin_ppm", 0)),
        int(inputs.get("maintenance_fraction_ppm", 0)),
        int(inputs.get("oi_lower", 0)),
        int(inputs.get("oi_upper", 0)),
    )
    return dydx.Perpetual(
        int(inputs["price"]),
        int(inputs["exponent"]),
        int(inputs["atomic_resolution"]),
        tier,
        int(inputs.get("open_interest", 0)),
    )


def dydx_requirements(vector: Vector) -> Outputs:
    risk = dydx.position_risk(_listed_perpetual(vector.inputs), int(vector.inputs["quantums"]))
    return {"imr": risk.imr, "mmr": risk.mmr, "nc": risk.nc}


def dydx_notional(vector: Vector) -> Outputs:
    quantums = int(vector.inputs["quantums"])
    return {"net_notional": _listed_perpetual(vector.inputs).quote_quantums_trunc(quantums)}


def dydx_settlement(vector: Vector) -> Outputs:
    keys = ("funding_index", "position_index", "quantums")
    return {"net_settlement_ppm": dydx.settlement_ppm(*(int(vector.inputs[key]) for key in keys))}


MODELS: dict[str, Callable[[Vector], Outputs]] = {
    "Synthetix v3 perps required margins": snx_margins,
    "Synthetix v3 perps PnL & available margin": snx_pnl,
    "Synthetix v3 fill price": snx_fill,
    "Synthetix v3 funding velocity": snx_funding,
    "Synthetix v3 keeper reward": snx_keeper,
    "Synthetix v3 max liquidatable per window": snx_window,
    "GMX v2 applyImpactFactor (PRBMathUD60x18.pow)": gmx_impact,
    "GMX v2 isPositionLiquidatable": gmx_liquidatable,
    "dYdX v4 bankruptcy price (quote quantums)": dydx_bankruptcy,
    "dYdX v4 fillable price (exact rational, quote quantums per base quantum)": dydx_fillable,
    "dYdX v4 insurance fund delta": dydx_insurance,
    "dYdX v4 IMR/MMR": dydx_requirements,
    "dYdX v4 net notional (trunc toward zero)": dydx_notional,
    "dYdX v4 funding settlement ppm": dydx_settlement,
}
