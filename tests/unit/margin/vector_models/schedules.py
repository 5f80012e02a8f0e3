"""Margin schedules and liquidation prices, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from keeper.margin.interface import Provenance
from keeper.margin.lending.liquity import stability_pool
from keeper.margin.lending.liquity import trove as liquity
from keeper.margin.perps.adl import settle_at
from keeper.margin.rounding import WAD
from keeper.margin.schedules import binance, deribit_linear, drift, hyperliquid, prices
from keeper.margin.schedules.dydx_v4 import LiquidityTier
from keeper.margin.schedules.tiers import Schedule, Tier
from tests.unit.margin.vector_files import Vector

Outputs = Mapping[str, Any]
FROM_VECTOR = Provenance("vector", date(2026, 1, 1), "the vector's own inputs")


def exact(figure: Any) -> Fraction:
    return Fraction(str(figure))


# Exchanges' tiers


def _brackets(vector: Vector) -> Schedule:
    rows = vector.inputs["brackets"]
    tiers = tuple(Tier(exact(row["floor"]), exact(row["mmr"]), Fraction(1)) for row in rows)
    return Schedule(tiers, FROM_VECTOR)


def binance_recursion(vector: Vector) -> Outputs:
    return {"cum": _brackets(vector).deductions}


def binance_lookup(vector: Vector) -> Outputs:
    notional = exact(vector.inputs["notional"])
    index = binance.BTCUSDT_2021.index(notional)
    return {
        "mmr": binance.BTCUSDT_2021.tiers[index].maintenance_rate,
        "amount": binance.BTCUSDT_2021.deductions[index],
        "maintenance_amount": binance.BTCUSDT_2021.deductions[index],
        "bracket": index + 1,
    }


def binance_coin_m(vector: Vector) -> Outputs:
    if "position_btc" not in vector.inputs:
        return _next_amount(vector)
    index = binance.BTCUSD_COIN_M_2020.index(exact(vector.inputs["position_btc"]))
    return {
        "mmr": binance.BTCUSD_COIN_M_2020.tiers[index].maintenance_rate,
        "amount": binance.BTCUSD_COIN_M_2020.deductions[index],
    }


def _next_amount(vector: Vector) -> Outputs:
    """A tier's amount from the one before it, of which only rate and amount are given: the tiers below it are
    any that give them."""
    floor, rate, before, amount = (
        exact(vector.inputs[name]) for name in ("floor_btc", "mmr", "prev_mmr", "prev_amount")
    )
    first = before - amount / (floor / 2)
    rows = ((Fraction(0), first), (floor / 2, before), (floor, rate))
    schedule = Schedule(tuple(Tier(lower, each, Fraction(1)) for lower, each in rows), FROM_VECTOR)
    assert schedule.deductions[1] == amount
    return {"amount": schedule.deductions[2]}


def _hyperliquid(vector: Vector) -> Schedule:
    tiers = vector.inputs["tiers"]
    return hyperliquid.schedule((exact(t["lower"]), exact(t["max_leverage"])) for t in tiers)


def hyperliquid_tiers(vector: Vector) -> Outputs:
    schedule = _hyperliquid(vector)
    return {
        "mmr": [tier.maintenance_rate for tier in schedule.tiers],
        "deduction": schedule.deductions,
        "deductions": schedule.deductions,
    }


def hyperliquid_continuous(vector: Vector) -> None:
    """At each boundary both tiers give the same margin, and the rates are the venue's rule."""
    schedule = _hyperliquid(vector)
    assert all(tier.maintenance_rate == 1 / (2 * tier.max_leverage) for tier in schedule.tiers)
    continuous_at_boundaries(schedule)


def binance_continuous(vector: Vector) -> None:
    continuous_at_boundaries(_brackets(vector))


def continuous_at_boundaries(schedule: Schedule) -> None:
    """At each boundary both tiers give the same margin, exactly, and above it the new tier's rate rules."""
    assert schedule.deductions[0] == 0
    for index, tier in enumerate(schedule.tiers[1:], start=1):
        below = schedule.tiers[index - 1].maintenance_rate * tier.lower - schedule.deductions[index - 1]
        above = tier.maintenance_rate * tier.lower - schedule.deductions[index]
        assert below == above == schedule.maintenance(tier.lower)
        step = Fraction(1, 10**6)
        rise = schedule.maintenance(tier.lower + step) - schedule.maintenance(tier.lower)
        assert rise == step * tier.maintenance_rate


def deribit_margin(vector: Vector) -> Outputs:
    inputs = vector.inputs
    return {
        "margin": deribit_linear.size_scaled(
            exact(inputs["base_pct"]),
            exact(inputs["per_unit_pct"]),
            exact(inputs["size"]),
            exact(inputs["price"]),
        )
    }


# Drift


def drift_liability(vector: Vector) -> Outputs:
    inputs = vector.inputs
    size, imf = int(inputs["size_1e9"]), int(inputs["imf_factor"])
    return {"weight": drift.liability_weight(size, imf, int(inputs["base_weight_1e4"]))}


def drift_asset(vector: Vector) -> Outputs:
    inputs = vector.inputs
    size, imf = int(inputs["size_1e9"]), int(inputs["imf_factor"])
    return {"weight": drift.asset_weight(size, imf, int(inputs["base_weight_1e4"]))}


def drift_scaled_initial(vector: Vector) -> Outputs:
    inputs = vector.inputs
    deposits = int(exact(inputs["deposits"]) * exact(inputs["price"]) * 10**6)
    start = int(exact(inputs["start_usd"]) * 10**6)
    weight = int(inputs["initial_asset_weight"])
    return {"weight": drift.scaled_initial_asset_weight(weight, deposits, start)}


def drift_unrealized(vector: Vector) -> Outputs:
    inputs = vector.inputs
    pnl, imf = int(inputs["unrealized_pnl_1e6"]), int(inputs["imf_factor"])
    return {"weight": drift.unrealized_pnl_asset_weight(pnl, imf, int(inputs["base_weight"]))}


# dYdX v4's tiers


def _tier(inputs: Mapping[str, Any]) -> LiquidityTier:
    return LiquidityTier(
        int(inputs["initial_margin_ppm"]),
        int(inputs.get("maintenance_fraction_ppm", 0)),
        int(inputs.get("oi_lower", 0)),
        int(inputs.get("oi_upper", 0)),
    )


def dydx_maintenance_ppm(vector: Vector) -> Outputs:
    return {"maintenance_margin_ppm": _tier(vector.inputs).maintenance_margin_ppm}


def dydx_funding_clamp(vector: Vector) -> Outputs:
    factor = int(vector.inputs["clamp_factor_ppm"])
    return {"max_abs_funding_ppm": _tier(vector.inputs).max_abs_funding_ppm(factor)}


def dydx_initial_margin(vector: Vector) -> Outputs:
    notional, interest = int(vector.inputs["quote_quantums"]), int(vector.inputs["oi_notional"])
    return {"im": _tier(vector.inputs).initial_margin_up(notional, interest)}


def dydx_adjusted_ppm(vector: Vector) -> Outputs:
    interest = int(vector.inputs["oi_notional"])
    return {"ppm": _tier(vector.inputs).adjusted_initial_ppm_down(interest)}


# Liquidation and bankruptcy prices


def isolated_liquidation(vector: Vector) -> Outputs:
    inputs = vector.inputs
    equity, size, price, rate = (exact(inputs[key]) for key in ("equity", "size", "price", "mmf"))
    found = prices.flat_rate_liquidation_price(equity, size, price, rate)
    if found is None:
        return {"liq_price": None}
    return {"liq_price": found, "equity_at_liq": equity + size * (found - price)}


def deleveraging(vector: Vector) -> Outputs:
    """A wins, B is bankrupt: B's position is closed against A at B's bankruptcy price."""
    a, b = vector.inputs["A"], vector.inputs["B"]
    new_price = exact(vector.inputs["new_price"])
    deposit, size, entry = (exact(b[key]) for key in ("deposit", "size", "entry"))
    bankrupt_at = prices.bankruptcy_price(deposit, size, entry)
    assert bankrupt_at is not None
    return {
        "A_expected_profit": settle_at(new_price, exact(a["size"]), exact(a["entry"])),
        "B_equity": deposit + settle_at(new_price, size, entry),
        "B_bankruptcy_price": bankrupt_at,
        "A_realised": settle_at(bankrupt_at, exact(a["size"]), exact(a["entry"])),
        "B_final": deposit + settle_at(bankrupt_at, size, entry),
    }


def maintenance_requirement(vector: Vector) -> Outputs:
    deposit, size, entry, rate, price = (
        exact(vector.inputs[key]) for key in ("deposit", "size", "entry", "mmf", "price")
    )
    schedule = Schedule((Tier(Fraction(0), rate, Fraction(1)),), FROM_VECTOR)
    pnl = settle_at(price, size, entry)
    return {
        "mmr_at_entry": schedule.maintenance(abs(size) * entry),
        "mmr": schedule.maintenance(abs(size) * price),
        "pnl": pnl,
        "equity": deposit + pnl,
    }


def escrowed_short(vector: Vector) -> Outputs:
    """The escrow is the position's equity at entry; liquidated, it is shared with the liquidator."""
    escrow, size, entry, rate, share = (
        exact(vector.inputs[key]) for key in ("escrow", "size", "entry", "mmf", "protocol_share")
    )
    return {
        "liq_price": prices.flat_rate_liquidation_price(escrow, size, entry, rate),
        "protocol_fee": escrow * share,
        "liquidator_fee": escrow * (1 - share),
    }


def _wad(figure: Any) -> int:
    return int(exact(figure) * WAD)


def liquity_trigger(vector: Vector) -> Outputs:
    """In a system far above its critical ratio, so in normal mode."""
    inputs = vector.inputs
    trove = liquity.Trove(_wad(inputs["coll"]), _wad(inputs["debt"]))
    mcr = _wad(inputs["mcr"])
    terms = liquity.LiquityTerms(mcr=mcr, ccr=max(mcr, liquity.V1.ccr))
    system = liquity.Trove(trove.coll * 10**6, trove.debt)

    def liquidatable(price: Any) -> bool:
        outcome = liquity.liquidation(trove, system, _wad(price), trove.debt, terms)
        return outcome.mode is not liquity.Mode.NONE

    return {
        "liquidatable_before": liquidatable(inputs["price_before"]),
        "liquidatable_after": liquidatable(inputs["price_after"]),
    }


def liquity_pool(vector: Vector) -> Outputs:
    pool, deposit, debt, coll, price = (
        exact(vector.inputs[key]) for key in ("pool", "deposit", "trove_debt", "trove_coll", "price")
    )
    change = stability_pool.pro_rata(pool, deposit, debt, coll, price)
    trove = liquity.Trove(_wad(coll), _wad(debt))
    return {
        "icr": Fraction(liquity.collateral_ratio_down(trove, _wad(price)), WAD),
        "deposit_after": change.deposit_after,
        "coll_gain": change.coll_gain,
        "coll_gain_usd": change.coll_gain_value,
        "net_gain": change.net_gain,
    }


MODELS: dict[str, Callable[[Vector], Outputs]] = {
    "Binance maintenance-amount recursion": binance_recursion,
    "Binance bracket look-up": binance_lookup,
    "Binance COIN-M maintenance amount": binance_coin_m,
    "Hyperliquid margin tiers": hyperliquid_tiers,
    "Deribit linear perpetual size-scaled margin": deribit_margin,
    "Drift v2 size-dependent liab weight": drift_liability,
    "Drift v2 size-dependent asset weight": drift_asset,
    "Drift v2 scaled initial asset weight": drift_scaled_initial,
    "Drift v2 unrealised-PnL asset weight (initial)": drift_unrealized,
    "dYdX v4 maintenance ppm": dydx_maintenance_ppm,
    "dYdX v4 funding clamp": dydx_funding_clamp,
    "dYdX v4 initial margin (OIMF)": dydx_initial_margin,
    "dYdX v4 adjusted IM ppm": dydx_adjusted_ppm,
    "Isolated liquidation price": isolated_liquidation,
    "Bankruptcy price / deleveraging": deleveraging,
    "Maintenance requirement": maintenance_requirement,
    "Short liquidation price, escrowed-balance form": escrowed_short,
    "Liquity ICR trigger": liquity_trigger,
    "Liquity stability pool pro-rata": liquity_pool,
}

PROPERTIES: dict[str, Callable[[Vector], None]] = {
    "Hyperliquid margin tiers": hyperliquid_continuous,
    "Binance maintenance-amount recursion": binance_continuous,
}
