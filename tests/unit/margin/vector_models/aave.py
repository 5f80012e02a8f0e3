"""Aave's libraries, health and liquidation, by the vectors' model names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from keeper.margin.lending.aave import borrowing, close_factor, emptied, fixed, interest, rules
from keeper.margin.lending.aave.health import Accrued, AccruedMarket, summarise
from keeper.margin.lending.aave.liquidation import Pair, outcome
from keeper.margin.lending.aave.state import NO_DEBT_HEALTH, AccountData, Reserve
from tests.unit.margin.vector_files import Vector

Outputs = Mapping[str, Any]
USD = 10**8

MATH: dict[str, Callable[..., int]] = {
    "mulDivCeil": fixed.mul_div_ceil,
    "percentMul": fixed.percent_mul_half_up,
    "percentMulFloor": fixed.percent_mul_floor,
    "percentMulCeil": fixed.percent_mul_ceil,
    "percentDiv": fixed.percent_div_half_up,
    "percentDivFloor": fixed.percent_div_floor,
    "percentDivCeil": fixed.percent_div_ceil,
    "wadMul": fixed.wad_mul_half_up,
    "wadDiv": fixed.wad_div_half_up,
    "rayMul": fixed.ray_mul_half_up,
    "rayMulFloor": fixed.ray_mul_floor,
    "rayMulCeil": fixed.ray_mul_ceil,
    "rayDiv": fixed.ray_div_half_up,
    "rayDivFloor": fixed.ray_div_floor,
    "rayDivCeil": fixed.ray_div_ceil,
    "rayToWad": fixed.ray_to_wad_half_up,
    "wadToRay": fixed.wad_to_ray,
    "linearInterest": interest.linear_interest,
    "calculateLinearInterest": interest.linear_interest,
    "calculateCompoundedInterest": interest.compounded_interest_taylor,
}


def library(vector: Vector) -> Outputs:
    """The function is the model's last word, without what stands in brackets."""
    function = MATH[re.sub(r"\s*\(.*\)$", "", vector.model).rsplit(".", 1)[-1]]
    inputs = vector.inputs
    arguments = inputs["args"] if "args" in inputs else (inputs["rate"], inputs["seconds"])
    return {"value": function(*map(int, arguments))}


def _of_rate(grow: Callable[[int, int], int]) -> Callable[[Vector], Outputs]:
    def run(vector: Vector) -> Outputs:
        rate = vector.inputs["rate"] if "rate" in vector.inputs else vector.inputs["rate_ray"]
        return {"value": grow(int(rate), int(vector.inputs["seconds"]))}

    return run


def normalized_income(vector: Vector) -> Outputs:
    inputs = vector.inputs
    grown = interest.linear_interest(int(inputs["rate"]), int(inputs["seconds"]))
    return {"value": fixed.ray_mul_half_up(grown, int(inputs["index"]))}


def _balance(scaled: int, index: int) -> int:
    """As the utilities have it: through ray and back."""
    return fixed.ray_to_wad_half_up(fixed.ray_mul_half_up(fixed.wad_to_ray(scaled), index))


def variable_debt(vector: Vector) -> Outputs:
    inputs = vector.inputs
    grown = interest.compounded_interest_per_second(int(inputs["rate"]), int(inputs["seconds"]))
    index = fixed.ray_mul_half_up(grown, int(inputs["index"]))
    return {"balance": _balance(int(inputs["principal"]), index)}


def supply_balance(vector: Vector) -> Outputs:
    inputs = vector.inputs
    elapsed = int(inputs["now"]) - int(inputs["last_update"])
    grown = interest.linear_interest(int(inputs["liquidity_rate"]), elapsed)
    index = fixed.ray_mul_half_up(grown, int(inputs["liquidity_index"]))
    return {"balance": _balance(int(inputs["scaled_balance"]), index)}


def health_factor(vector: Vector) -> Outputs:
    """Amounts in wei and bps, or in dollars and a ratio; without debt the utilities say −1."""
    inputs = vector.inputs
    if "collateral_usd" in inputs:
        collateral, debt = _usd(inputs["collateral_usd"]), _usd(inputs["debt_usd"])
        threshold = int(Fraction(str(inputs["lt"])) * fixed.PERCENT)
    else:
        collateral, debt = int(inputs["collateral"]), int(inputs["debt"])
        threshold = int(inputs["liquidation_threshold_bps"])
    data = summarise(collateral, collateral * threshold, debt, rules.V302)
    if data.health == NO_DEBT_HEALTH:
        return {"health_factor": -1}
    return {"health_factor": Fraction(data.health, fixed.WAD)}


def _usd(figure: Any) -> int:
    return int(Fraction(str(figure)) * USD)


def account_summary(vector: Vector) -> Outputs:
    """Balances in whole tokens, prices in the reference currency."""
    values = [
        (each["supply"] * each["price_ref"], each["borrow"] * each["price_ref"], each)
        for each in vector.inputs["positions"]
    ]
    collateral = sum(supplied for supplied, _, _ in values)
    debt = sum(owed for _, owed, _ in values)
    ltv = borrowing.average_down((supplied, each["ltv_bps"]) for supplied, _, each in values)
    weighted = sum(supplied * each["lt_bps"] for supplied, _, each in values)
    data = summarise(collateral, weighted, debt, rules.V302)
    available = borrowing.available_borrows(collateral, debt, ltv, rules.V302)
    return {
        "available_borrows_ref": available,
        "available_borrows_usd": available * vector.inputs["ref_price_usd"],
        "collateral_ref": collateral,
        "debt_ref": debt,
        "ltv": ltv,
        "lt": data.threshold,
        "hf": Fraction(data.health, fixed.WAD) if debt else -1,
        "available_borrows": available,
    }


def _limit(owed: int, supplied: int, total: int, health: int, version: rules.Rules, whole: int) -> int:
    """Close factor for a debt whose units are its base currency."""
    return close_factor.max_liquidatable(
        owed=owed,
        owed_base=owed,
        supplied_base=supplied,
        data=AccountData(supplied, total, 0, health),
        price=1,
        unit=1,
        rules=version,
        whole_below=whole,
    )


def small_position(vector: Vector) -> Outputs:
    inputs = vector.inputs
    owed = _usd(inputs["debt_usd"])
    health = int(Fraction(str(inputs["hf"])) * fixed.WAD)
    whole = _usd(inputs["min_base_max_close_factor_threshold_usd"])
    limit = _limit(owed, _usd(inputs["collateral_usd"]), owed, health, rules.V33, whole)
    return {"max_liquidatable_debt_usd": Fraction(limit, USD)}


def whole_position(vector: Vector) -> Outputs:
    """One collateral; the largest single debt. `hf_band` bounds the health, "0.95<HF<1" or "HF<0.95"."""
    debts = [_usd(each) for each in vector.inputs["debts_usd"]]
    supplied, owed = _usd(vector.inputs["collateral_usd"]), max(debts)
    bounds = [Fraction(each) for each in re.findall(r"\d+(?:\.\d+)?", vector.inputs["hf_band"])]
    low, high = bounds if len(bounds) == 2 else (Fraction(0), bounds[0])
    health = int((low + high) / 2 * fixed.WAD)

    def limit(version: rules.Rules) -> Fraction:
        found = _limit(owed, supplied, sum(debts), health, version, close_factor.WHOLE_CLOSE_BASE)
        return Fraction(found, USD)

    return {"old_max_per_reserve": limit(rules.V32), "new_max_single_reserve": limit(rules.V33)}


def dust(vector: Vector) -> Outputs:
    """In the documentation's words: what may only be taken whole first, then what may be taken in part."""
    inputs = vector.inputs
    leftover = _usd(inputs["min_leftover_usd"])
    whole, partial = [], []
    for side, values in (("debt", inputs["debt_usd"]), ("collateral", inputs["collateral_usd"])):
        for name, value in zip("ABCDEFGH", values, strict=False):
            most = close_factor.largest_partial(_usd(value), leftover)
            if most:
                partial.append(f"<={most // USD} of {side} {name} or 100% of {side} {name}")
            else:
                whole.append(f"100% of {side} {name}")
    return {"allowed": whole + partial}


def same_asset_liquidation(vector: Vector) -> Outputs:
    """Collateral and debt are one asset, so the price cancels; health is low enough for the whole debt."""
    inputs = vector.inputs
    bits = int(inputs["liquidation_threshold_bps"]) << 16 | int(inputs["liquidation_bonus_bps"]) << 32
    bits |= int(inputs["protocol_fee_bps"]) << 152
    reserve = Reserve(0, "", "", "", "", bits, 0, 0, 0, 0, 0, USD)
    income, debt_index = int(inputs["liquidity_index"]), int(inputs["variable_borrow_index"])
    accrued = Accrued(reserve, income, debt_index, USD, 1, reserve.threshold, 0)
    market = AccruedMarket(rules.V37, 0, {0: accrued}, {})
    scaled = int(inputs["scaled_collateral"])
    supplied = rules.V37.supplied(scaled, income)
    owed = rules.V37.owed(int(inputs["scaled_debt"]), debt_index)
    pair = Pair(accrued, accrued, USD, USD, reserve.bonus, scaled, supplied, owed, owed)
    result = outcome(pair, int(inputs["debt_to_cover"]), market)
    shares = rules.V37.seized_shares
    return {
        "collateral_balance": supplied,
        "debt_balance": owed,
        "max_collateral": result.seized,
        "actual_collateral": result.received,
        "fee": result.seized - result.received,
        "scaled_consumed": shares(result.received, income) + shares(result.seized - result.received, income),
        "collateral_emptied": emptied.emptied_by_shares(result, scaled, income),
    }


MODELS: dict[str, Callable[[Vector], Outputs]] = {
    **{f"Aave v3.7 PercentageMath.{name}": library for name in MATH if name.startswith("percent")},
    **{f"Aave v3.7 WadRayMath.{name}": library for name in MATH if name.startswith(("wad", "ray"))},
    **{
        f"Aave v3.7 MathUtils.{name}": library
        for name in (
            "linearInterest",
            "calculateLinearInterest",
            "mulDivCeil",
            "calculateCompoundedInterest",
            "calculateCompoundedInterest (Taylor-3)",
        )
    },
    "Aave v3.7 liquidationCall rounding (same-asset USDX/USDX)": same_asset_liquidation,
    "Aave linear interest": _of_rate(interest.linear_interest),
    "Aave <=v3.x binomial approximation (rate/second truncated)": _of_rate(
        interest.compounded_interest_per_second
    ),
    "Aave APR→APY (rayPow per second)": _of_rate(interest.annual_yield),
    "Aave reserve normalized income": normalized_income,
    "Aave variable debt balance": variable_debt,
    "Aave v2/v3 aToken linear balance (half-up)": supply_balance,
    "Aave health factor": health_factor,
    "Aave account summary": account_summary,
    "Aave v3.3 close factor": small_position,
    "Aave v3.3 close factor (whole position)": whole_position,
    "Aave v3.3 MIN_LEFTOVER_BASE": dust,
}
