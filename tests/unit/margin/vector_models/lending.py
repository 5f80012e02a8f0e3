"""Lending health and interest, by the vectors' model names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from keeper.margin import rounding
from keeper.margin.lending.aave import fixed
from keeper.margin.lending.comet import account as comet
from keeper.margin.lending.comet import rates as comet_rates
from keeper.margin.lending.comet.terms import (
    BASE_INDEX_SCALE,
    FACTOR_SCALE,
    PRICE_SCALE,
    SECONDS_PER_YEAR,
    CollateralTerms,
    CometTerms,
)
from keeper.margin.lending.liquity import decimals as liquity_decimals
from keeper.margin.lending.liquity import trove as liquity
from keeper.margin.lending.morpho import (
    market as morpho,
)
from keeper.margin.lending.morpho import (
    midnight,
    position,
    pre_liquidation,
    shares,
    utilization,
)
from tests.unit.margin.vector_files import Vector

Outputs = Mapping[str, Any]


def whole(figure: Any) -> int:
    """An integer written as int, as digits, or as 1e36."""
    return int(Decimal(str(figure)))


# Morpho


def _morpho_market(inputs: Mapping[str, Any]) -> morpho.MarketState:
    return morpho.MarketState(
        whole(inputs.get("total_supply_assets", inputs.get("total_supply", 0))),
        whole(inputs.get("total_supply_shares", 0)),
        whole(inputs.get("total_borrow_assets", inputs.get("total_borrow", 0))),
        whole(inputs.get("total_borrow_shares", 0)),
    )


def morpho_position(vector: Vector) -> Outputs:
    inputs = vector.inputs
    market = _morpho_market(inputs)
    terms = morpho.MarketTerms(whole(inputs["lltv"]))
    price = whole(inputs["price"])
    held = position.Position(
        whole(inputs["collateral"]),
        whole(inputs["borrow_shares"]),
        whole(inputs.get("supply_shares", 0)),
    )
    return {
        "borrow_assets": position.borrowed_up(held, market),
        "supply_assets": position.supplied_down(held, market),
        "collateral_value": position.collateral_value_down(held.collateral, price),
        "max_borrow": position.max_borrow_down(held.collateral, price, terms.lltv),
        "max_borrowable": position.borrowable(held, market, price, terms),
        "withdrawable_collateral": position.withdrawable_collateral(held, market, price, terms),
        "seizable": position.seizable(held, market, price, terms),
        "ltv": position.ltv_up(held, market, price),
        "health_factor": position.health_factor_down(held, market, price, terms),
        "capacity_usage": position.capacity_usage_up(held, market, price, terms),
        "healthy": position.is_healthy(held, market, price, terms),
    }


def morpho_lif(vector: Vector) -> Outputs:
    inputs = vector.inputs
    terms = morpho.MarketTerms(whole(inputs["lltv"]), whole(inputs["cursor"]), whole(inputs["max_lif"]))
    return {"lif": terms.incentive_factor}


def morpho_pre_liquidation(vector: Vector) -> Outputs:
    inputs = vector.inputs
    pre = pre_liquidation.PreLiquidationTerms(
        whole(inputs["preLltv"]),
        whole(inputs["preLCF1"]),
        whole(inputs["preLCF2"]),
        whole(inputs["preLIF1"]),
        whole(inputs["preLIF2"]),
    )
    held = position.Position(whole(inputs["collateral"]), whole(inputs["borrow_shares"]))
    terms = morpho.MarketTerms(whole(inputs["lltv"]))
    return {
        "seizable": pre_liquidation.pre_seizable(
            held, _morpho_market(inputs), whole(inputs["price"]), terms, pre
        )
    }


def morpho_pre_liquidation_defaults(vector: Vector) -> Outputs:
    pre = pre_liquidation.default_terms(whole(vector.inputs["lltv"]))
    return {
        "preLltv": pre.pre_lltv,
        "preLCF1": pre.pre_lcf_1,
        "preLCF2": pre.pre_lcf_2,
        "preLIF": pre.pre_lif_1,
        "preLIF1": pre.pre_lif_1,
        "preLIF2": pre.pre_lif_2,
    }


def _to_utilization(amount: Callable[[morpho.MarketState, int], int]) -> Callable[[Vector], Outputs]:
    def run(vector: Vector) -> Outputs:
        return {"value": amount(_morpho_market(vector.inputs), whole(vector.inputs["target"]))}

    return run


def morpho_utilization(vector: Vector) -> Outputs:
    return {"value": _morpho_market(vector.inputs).utilization}


def morpho_apy(vector: Vector) -> Outputs:
    return {"apy": morpho.rate_to_apy(whole(vector.inputs["rate_per_second"]))}


MORPHO_MATH: dict[str, Callable[..., int]] = {
    "mulDivDown": rounding.mul_div_down,
    "mulDivUp": rounding.mul_div_up,
    "wMulDown": rounding.wad_mul_down,
    "wMulUp": rounding.wad_mul_up,
    "wDivDown": rounding.wad_div_down,
    "wDivUp": rounding.wad_div_up,
    "wTaylorCompounded": morpho.taylor_compounded_down,
    "wToRay": fixed.wad_to_ray,
    "min": lambda *each: min(each),
    "max": lambda *each: max(each),
    "abs": abs,
    "zeroFloorSub": lambda x, y: max(0, x - y),
}


def morpho_math(vector: Vector) -> Outputs:
    """The function is `fn` where given, else the id's last part up to its underscore or number.

    Three of the library's functions take the rounding as a word: it completes their name.
    """
    inputs = vector.inputs
    name = inputs.get("fn", re.split(r"[_\d]", vector.name)[0])
    if name not in MORPHO_MATH:
        name += inputs["rounding"]
    return {"value": MORPHO_MATH[name](*(whole(each) for each in inputs["args"]))}


SHARES_MATH = {
    ("toAssets", "Down"): shares.to_assets_down,
    ("toAssets", "Up"): shares.to_assets_up,
    ("toShares", "Down"): shares.to_shares_down,
    ("toShares", "Up"): shares.to_shares_up,
}


def morpho_shares(vector: Vector) -> Outputs:
    inputs = vector.inputs
    convert = SHARES_MATH[inputs["fn"], inputs["rounding"]]
    return {
        "value": convert(
            whole(inputs["amount"]), whole(inputs["total_assets"]), whole(inputs["total_shares"])
        )
    }


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def morpho_midnight(vector: Vector) -> Outputs:
    held = [
        midnight.Collateral(*(Fraction(str(each[key])) for key in ("qty", "price", "lltv")))
        for each in vector.inputs["collateral"]
    ]
    by_place = {ORDINALS[place]: each.max_debt for place, each in enumerate(held)}
    return {**by_place, "total": midnight.max_debt(held)}


# Compound v3

USDC = CometTerms(base_scale=10**6)
DEFAULT_DECIMALS = {"WBTC": 8, "USDC": 6}
AT_PAR = comet_rates.Totals(BASE_INDEX_SCALE, BASE_INDEX_SCALE, 0, 0)


def comet_quote(vector: Vector) -> Outputs:
    inputs = vector.inputs
    factor = whole(inputs["liquidation_factor"])
    collateral = CollateralTerms(whole(inputs["asset_scale"]), 0, 0, factor)
    terms = CometTerms(whole(inputs["base_scale"]), whole(inputs["store_front_price_factor"]))
    return {
        "collateral": comet.quote_collateral_down(
            whole(inputs["base_amount"]),
            collateral,
            whole(inputs["asset_price_1e8"]),
            terms,
            whole(inputs["base_price_1e8"]),
        )
    }


def comet_is_liquidatable(vector: Vector) -> Outputs:
    inputs = vector.inputs
    index = whole(inputs["base_index"])
    holdings = [
        comet.Holding(
            whole(each["balance"]),
            whole(each["price_1e8"]),
            CollateralTerms(whole(each["scale"]), 0, whole(each["liquidate_cf"]), FACTOR_SCALE),
        )
        for each in inputs["collateral"]
    ]
    account = comet.Account(whole(inputs["principal"]), holdings)
    totals = comet_rates.Totals(index, index, 0, 0)
    return {"is_liquidatable": comet.is_liquidatable(account, totals, USDC)}


def comet_rate(vector: Vector) -> Outputs:
    params, raw = vector.inputs["params"], vector.inputs["totals"]

    def factor(key: str) -> int:
        return int(Decimal(str(params[key])) * FACTOR_SCALE)

    def curve(side: str) -> comet_rates.Curve:
        annual = (factor(side + kind) for kind in "blh")
        return comet_rates.Curve(factor(side + "k"), *map(comet_rates.per_second_down, annual))

    totals = comet_rates.Totals(
        whole(raw["baseSupplyIndex"]),
        whole(raw["baseBorrowIndex"]),
        whole(raw["totalSupplyBase"]),
        whole(raw["totalBorrowBase"]),
    )

    def annual(rate: int) -> Fraction:
        return Fraction(rate * SECONDS_PER_YEAR, FACTOR_SCALE)

    return {
        "utilization": Fraction(totals.utilization, FACTOR_SCALE),
        "supply_apr": annual(curve("s").rate_down(totals.utilization)),
        "borrow_apr": annual(curve("b").rate_down(totals.utilization)),
    }


def _seized_holding(held: Mapping[str, Any], factor: int) -> comet.Holding:
    """Written as "1 WETH" at a price in dollars."""
    quantity, symbol = held["balance"].split()
    scale = 10 ** DEFAULT_DECIMALS.get(symbol, 18)
    price = int(Decimal(str(held["price"])) * PRICE_SCALE)
    return comet.Holding(int(Decimal(quantity) * scale), price, CollateralTerms(scale, 0, 0, factor))


def _seized(inputs: Mapping[str, Any], accounts: int) -> list[list[comet.Holding]]:
    """Each account's collateral: one list for all of them, or a list of lists."""
    factor = int(Fraction(str(inputs.get("liquidation_factor", 1))) * FACTOR_SCALE)
    held = inputs.get("collateral", [])
    each = held if held and isinstance(held[0], list) else [held] * accounts
    return [[_seized_holding(one, factor) for one in mine] for mine in each]


def comet_absorb(vector: Vector) -> Outputs:
    """Accounts absorbed one after the other from a market that holds no cash."""
    inputs = vector.inputs
    several = "principals" in inputs
    principals = [whole(each) for each in (inputs["principals"] if several else [inputs["principal"]])]
    index = whole(inputs.get("index", BASE_INDEX_SCALE))
    borrowed = whole(inputs.get("total_borrow_base", -sum(principals)))
    before = totals = comet_rates.Totals(index, index, whole(inputs.get("total_supply_base", 0)), borrowed)
    outcomes = []
    for principal, holdings in zip(principals, _seized(inputs, len(principals)), strict=True):
        outcomes.append(comet.absorb(comet.Account(principal, holdings), totals, USDC))
        totals = outcomes[-1].totals
    balances = [each.new_balance for each in outcomes]
    paid = [each.base_paid_out for each in outcomes]
    alone = len(outcomes) == 1
    return {
        "new_base_balance": balances[0] if alone else balances,
        "base_paid_out": paid[0] if alone else paid,
        "total_supply_after": comet_rates.present_value(totals.supply_base, totals),
        "total_borrow_after": comet_rates.present_value_borrow(totals),
        "reserves_before": comet.reserves(0, before),
        "reserves_after": comet.reserves(0, totals),
    }


def comet_present_value(vector: Vector) -> Outputs:
    inputs = vector.inputs
    supply = whole(inputs.get("base_supply_index", BASE_INDEX_SCALE))
    borrow = whole(inputs.get("base_borrow_index", BASE_INDEX_SCALE))
    principal = whole(inputs["principal"] if "principal" in inputs else -inputs["total_borrow_base"])
    balance = comet_rates.present_value(principal, comet_rates.Totals(supply, borrow, 0, 0))
    return {
        "total_borrow": max(0, -balance),
        "borrow_balance": max(0, -balance),
        "supply_balance": max(0, balance),
        "balance": max(0, balance),
        "value": balance,
    }


# Liquity v1


def liquity_pow(vector: Vector) -> Outputs:
    base, exponent = whole(vector.inputs["base"]), whole(vector.inputs["exponent"])
    return {"value": liquity_decimals.dec_pow_half_up(base, exponent)}


def liquity_gas(vector: Vector) -> Outputs:
    return {"value": liquity.coll_gas_compensation_down(whole(vector.inputs["coll"]))}


def liquity_composite_debt(vector: Vector) -> Outputs:
    return {"value": liquity.composite_debt(whole(vector.inputs["debt"]))}


MODELS: dict[str, Callable[[Vector], Outputs]] = {
    "Morpho Blue": morpho_position,
    "Morpho Blue position": morpho_position,
    "Morpho Blue LIF": morpho_lif,
    "Morpho Blue getBorrowToUtilization": _to_utilization(utilization.borrow_to),
    "Morpho Blue getRepayToUtilization": _to_utilization(utilization.repay_to),
    "Morpho Blue getSupplyToUtilization": _to_utilization(utilization.supply_to),
    "Morpho Blue getWithdrawToUtilization": _to_utilization(utilization.withdraw_to),
    "Morpho Blue getUtilization": morpho_utilization,
    "Morpho Blue rateToApy": morpho_apy,
    "Morpho MathLib": morpho_math,
    "Morpho SharesMath": morpho_shares,
    "Morpho Midnight multi-collateral max debt": morpho_midnight,
    "Morpho pre-liquidation": morpho_pre_liquidation,
    "Morpho pre-liquidation default parameters": morpho_pre_liquidation_defaults,
    "Compound v3 Comet quoteCollateral": comet_quote,
    "Compound v3 Comet isLiquidatable": comet_is_liquidatable,
    "Compound v3 Comet kinked rate": comet_rate,
    "Compound v3 Comet absorb": comet_absorb,
    "Compound v3 Comet presentValue": comet_present_value,
    "Liquity LiquityMath._decPow": liquity_pow,
    "Liquity v1 getCollGasCompensation (coll/200)": liquity_gas,
    "Liquity v1 getCompositeDebt (+200 LUSD)": liquity_composite_debt,
}
