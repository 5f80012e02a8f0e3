"""Per-option margin rules that venues publish on their help pages, each with its own small formula.

All amounts are in the venue's settlement unit; array inputs broadcast. Sources are named at each function.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from keeper.margin.checks import not_negative, positive
from keeper.margin.interface import Array, Provenance
from keeper.margin.options.checks import finite_array, non_negative_array, positive_array, traceable

BYBIT = Provenance("1", date(2026, 11, 22), "Bybit help 000001546")
OKX = Provenance("1", date(2026, 11, 22), "OKX help, ii-option-margin")
REG_T = Provenance("1", date(2026, 11, 22), "FINRA rule 4210(f)(2)")


@dataclass(frozen=True, slots=True)
class BybitRules:
    """Bybit options: maintenance and liquidation fee rates of the index, trading fee and its cap."""

    provenance: Provenance = BYBIT
    maintenance_rate: float = 0.03
    liquidation_fee: float = 0.002
    fee_rate: float = 0.0003
    fee_cap: float = 0.125

    def __post_init__(self) -> None:
        traceable(self.provenance, "bybit")
        for name in ("maintenance_rate", "liquidation_fee", "fee_rate", "fee_cap"):
            not_negative(getattr(self, name), f"bybit.{name}")


@dataclass(frozen=True, slots=True)
class OkxRules:
    """OKX coin-margined options: floor and cap of the out-of-the-money rate, factor, order fee per coin."""

    provenance: Provenance = OKX
    minimum_rate: float = 0.10
    maximum_rate: float = 0.15
    factor: float = 1.02
    fee: float = 0.0002

    def __post_init__(self) -> None:
        traceable(self.provenance, "okx")
        for name in ("minimum_rate", "maximum_rate", "factor", "fee"):
            not_negative(getattr(self, name), f"okx.{name}")


@dataclass(frozen=True, slots=True)
class RegTRules:
    """US Regulation T (FINRA 4210) for short equity options: rate, floor, shares per contract."""

    provenance: Provenance = REG_T
    rate: float = 0.20
    minimum_rate: float = 0.10
    shares: float = 100.0

    def __post_init__(self) -> None:
        traceable(self.provenance, "reg_t")
        not_negative(self.rate, "reg_t.rate")
        not_negative(self.minimum_rate, "reg_t.minimum_rate")
        positive(self.shares, "reg_t.shares")


def out_of_the_money(underlying: ArrayLike, strike: ArrayLike, is_call: ArrayLike) -> Array:
    """How far an option is out of the money, in price units; 0 in the money."""
    s, k = non_negative_array(underlying, "underlying"), non_negative_array(strike, "strike")
    return np.maximum(np.where(np.asarray(is_call, dtype=bool), k - s, s - k), 0.0)


def premium(price: ArrayLike, amount: ArrayLike, multiplier: ArrayLike = 1.0) -> Array:
    """Premium of an option order: price × contracts × multiplier."""
    return np.asarray(
        non_negative_array(price, "price")
        * non_negative_array(amount, "amount")
        * positive_array(multiplier, "multiplier")
    )


def capped_fee(
    price: ArrayLike, index: ArrayLike, size: ArrayLike, fee_rate: ArrayLike, fee_cap: ArrayLike
) -> Array:
    """Trading fee: a rate of the index, at most a share of the option price (Bybit, Deribit and others)."""
    by_index = non_negative_array(fee_rate, "fee_rate") * non_negative_array(index, "index")
    by_price = non_negative_array(fee_cap, "fee_cap") * non_negative_array(price, "price")
    return np.asarray(np.minimum(by_index, by_price) * np.abs(finite_array(size, "size")))


def bybit_maintenance(index: ArrayLike, mark: ArrayLike, size: ArrayLike, rules: BybitRules) -> Array:
    """Bybit short option: (max(rate·index, rate·mark) + mark + liquidation fee·index)·|size|; long 0.

    Source: Bybit help 000001546.
    """
    s, m = non_negative_array(index, "index"), non_negative_array(mark, "mark")
    held = finite_array(size, "size")
    unit = rules.maintenance_rate * np.maximum(s, m) + m + rules.liquidation_fee * s
    return np.asarray(unit * np.maximum(-held, 0.0))


def okx_short_call(
    underlying: ArrayLike, distance: ArrayLike, mark: ArrayLike, multiplier: ArrayLike, rules: OkxRules
) -> Array:
    """Position margin of one short OKX call, in coin: (max(a, b − OTM/F)·factor + mark)·multiplier.

    `distance` is the out-of-the-money amount in price units, `mark` in coin. Source: OKX help, option margin.
    """
    m = non_negative_array(mark, "mark")
    return np.asarray((_okx_rate(underlying, distance, rules) + m) * positive_array(multiplier, "multiplier"))


def okx_short_call_order(
    underlying: ArrayLike,
    distance: ArrayLike,
    mark: ArrayLike,
    fill: ArrayLike,
    contracts: ArrayLike,
    multiplier: ArrayLike,
    rules: OkxRules,
) -> Array:
    """Margin an OKX order to sell calls locks, in coin: margin less premium received plus fee."""
    unit = _okx_rate(underlying, distance, rules) + non_negative_array(mark, "mark")
    unit = unit - non_negative_array(fill, "fill") + rules.fee
    size = non_negative_array(contracts, "contracts") * positive_array(multiplier, "multiplier")
    return np.asarray(unit * size)


def okx_long_cost(price: ArrayLike, contracts: ArrayLike, multiplier: ArrayLike, fee: float) -> Array:
    """Cost of buying OKX options, in coin: (price + fee)·contracts·multiplier."""
    not_negative(fee, "fee")
    return premium(non_negative_array(price, "price") + fee, contracts, multiplier)


def reg_t_short(
    underlying: ArrayLike,
    strike: ArrayLike,
    price: ArrayLike,
    contracts: ArrayLike,
    is_call: ArrayLike,
    rules: RegTRules,
) -> Array:
    """Reg-T initial margin of short options: premium + the larger of rate·S − OTM and the floor.

    The floor is `minimum_rate` of the strike for puts, of the underlying for calls (FINRA rule 4210(f)(2)).
    """
    s, k = non_negative_array(underlying, "underlying"), non_negative_array(strike, "strike")
    floor = rules.minimum_rate * np.where(np.asarray(is_call, dtype=bool), s, k)
    unit = np.maximum(rules.rate * s - out_of_the_money(s, k, is_call), floor)
    unit = unit + non_negative_array(price, "price")
    return np.asarray(unit * rules.shares * non_negative_array(contracts, "contracts"))


def futures_contingency(position: ArrayLike, index: ArrayLike, rate: float) -> Array:
    """Dederi's contingency for the liquidity of futures: rate·index·|position| (Dederi wiki)."""
    not_negative(rate, "rate")
    return np.asarray(rate * non_negative_array(index, "index") * np.abs(finite_array(position, "position")))


def _okx_rate(underlying: ArrayLike, distance: ArrayLike, rules: OkxRules) -> Array:
    relative = non_negative_array(distance, "distance") / positive_array(underlying, "underlying")
    return np.asarray(np.maximum(rules.minimum_rate, rules.maximum_rate - relative) * rules.factor)
