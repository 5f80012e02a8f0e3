"""Opyn Gamma, SPAN and the venues' help pages, by the vectors' model names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from keeper.margin.options import opyn, opyn_naked, span, venue_rules
from keeper.margin.options.fixed_point import ONE
from tests.unit.margin.vector_files import Vector

Figures = Mapping[str, Any]


def _opyn_excess(vector: Vector) -> Figures:
    i = vector.inputs
    own = opyn.CollateralAsset.STRIKE if i["is_put"] else opyn.CollateralAsset.UNDERLYING
    foreign = "coll_price_1e8" in i
    settled = "expiry_price_1e8" in i
    vault = opyn.Vault(
        is_put=i["is_put"],
        collateral=int(i["collateral_raw"]),
        collateral_decimals=int(i["collateral_decimals"]),
        collateral_asset=opyn.CollateralAsset.OTHER if foreign else own,
        short_amount=int(i.get("short_amount_1e8", 0)),
        short_strike=int(i.get("short_strike_1e8", 0)),
        long_amount=int(i.get("long_amount_1e8", 0)),
        long_strike=int(i.get("long_strike_1e8", 0)),
    )
    source = int(i.get("from_price_1e8", 0))
    dollar = 10**8
    prices = opyn.Prices(
        underlying=int(i["expiry_price_1e8"]) if settled else (0 if i["is_put"] else source),
        strike=source if foreign and i["is_put"] else dollar,
        collateral=int(i.get("coll_price_1e8", 0)),
    )
    net, is_excess = opyn.excess_collateral(vault, prices, expired=settled)
    return {"net_value_raw": net, "is_excess": is_excess}


def _scaled(value: Any, scale: int) -> int:
    return int(Fraction(str(value)) * scale)


def _opyn_naked(vector: Vector) -> Figures:
    i = vector.inputs
    required = Fraction(
        opyn_naked.naked_required(
            is_put=i["put"],
            short_amount=_scaled(i["n"], 10**8),
            strike=_scaled(i["k"], 10**8),
            price=_scaled(i["s"], 10**8),
            upper_bound=_scaled(i["ub"], ONE),
            spot_shock=_scaled(i["shock"], ONE),
        ),
        ONE,
    )
    excess = Fraction(str(i.get("collateral", 0))) - required
    return {"required_margin": required, "excess": excess, "is_excess": excess >= 0}


def _signed(position: str) -> float:
    match = re.match(r"\s*(long|short)\s+(\d*\.?\d*)", position)
    assert match, f"position not understood: {position!r}"
    return (1.0 if match[1] == "long" else -1.0) * float(match[2] or 1)


def _span_scenarios(vector: Vector) -> Figures:
    i = vector.inputs
    scenarios = [
        span.SpanScenario({"x": 2.0, "-x": -2.0}.get(s["price"], s["price"]), s["vol"])
        for s in i["scenarios"]
    ]
    gains = span.futures_gains(
        _signed(i["position"]), i["price_scan_usd"], scenarios, i["extreme_points_usd"]
    )
    return {"scenario_gain": gains.tolist(), "scan_risk": span.scan_risk(-gains)}


def _span_scan_risk(vector: Vector) -> Figures:
    return {"scan_risk": span.scan_risk([-gain for gain in vector.inputs["scenario_gain"]])}


def _span_addition(vector: Vector) -> Figures:
    i = vector.inputs
    legs = i["position"].split("+")
    names = {"future": "long_future_array", "call": "long_call_array", "put": "long_put_array"}
    arrays = [next(i[key] for name, key in names.items() if name in leg) for leg in legs]
    gains = span.combined(arrays, [_signed(leg) for leg in legs])
    return {"scenario_gain": gains.tolist(), "scan_risk": span.scan_risk(-gains)}


def _premium_and_fee(vector: Vector) -> Figures:
    i = vector.inputs
    paid = float(venue_rules.premium(i["price"], i["size"]))
    fee = float(venue_rules.capped_fee(i["price"], i["index"], i["size"], i["fee_rate"], i["fee_cap"]))
    return {"premium": paid, "fee": fee, "total": paid + fee}


def _okx_short_call(vector: Vector) -> Figures:
    i = vector.inputs
    rules = venue_rules.OkxRules(factor=i["factor"])
    where = (i["S"], i["otm"], i["mark"])
    return {
        "position_margin_per_contract": float(venue_rules.okx_short_call(*where, i["multiplier"], rules)),
        "order_margin_total": float(
            venue_rules.okx_short_call_order(*where, i["fill_price"], i["contracts"], i["multiplier"], rules)
        ),
    }


def _okx_long_call(vector: Vector) -> Figures:
    i = vector.inputs
    cost = venue_rules.okx_long_cost(i["price"], i["contracts"], i["multiplier"], i["fee"])
    return {"total": float(cost)}


def _premium(vector: Vector) -> Figures:
    i = vector.inputs
    return {"premium": float(venue_rules.premium(i["order_price"], i["amount"], i["multiplier"]))}


def _distance(vector: Vector) -> Figures:
    i = vector.inputs
    otm = venue_rules.out_of_the_money(i["underlying"], i["strike"], i["type"].lower() == "call")
    return {"otm": float(otm)}


def _bybit(vector: Vector) -> Figures:
    i = vector.inputs
    rules = venue_rules.BybitRules(maintenance_rate=i["mm_factor"], liquidation_fee=i["liq_fee"])
    required = float(venue_rules.bybit_maintenance(i["index"], i["mark"], i["size"], rules))
    rate = {"mm_rate": required / i["balance"]} if "balance" in i else {}
    return {"mm": required, **rate}


def _reg_t(vector: Vector) -> Figures:
    i = vector.inputs
    margin = venue_rules.reg_t_short(
        i["S"], i["K"], i["price"], i["contracts"], False, venue_rules.RegTRules()
    )
    return {"margin": float(margin)}


def _dederi(vector: Vector) -> Figures:
    i = vector.inputs
    return {"contingency": float(venue_rules.futures_contingency(i["position"], i["index"], i["rate"]))}


MODELS: dict[str, Callable[[Vector], Figures]] = {
    "Opyn Gamma MarginCalculator.getExcessCollateral (type 0, fully collateralised / spread)": _opyn_excess,
    "Opyn Gamma naked margin (type 1)": _opyn_naked,
    "CME SPAN 16 scenarios": _span_scenarios,
    "CME SPAN scan risk from risk array": _span_scan_risk,
    "CME SPAN portfolio addition": _span_addition,
    "Option premium + fee cap": _premium_and_fee,
    "OKX short call margin (coin)": _okx_short_call,
    "OKX long call cost": _okx_long_call,
    "Option premium": _premium,
    "OTM amount": _distance,
    "Bybit option maintenance margin": _bybit,
    "Reg-T short put": _reg_t,
    "Dederi PM futures contingency": _dederi,
}
