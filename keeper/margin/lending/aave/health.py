"""An account's collateral, debt, threshold and health, exactly as `getUserAccountData` returns them."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.margin.lending.aave.fixed import (
    PERCENT,
    WAD,
    percent_mul_half_up,
    ray_mul_half_up,
    wad_div_half_up,
)
from keeper.margin.lending.aave.interest import linear_interest
from keeper.margin.lending.aave.rules import Rules
from keeper.margin.lending.aave.state import (
    NO_DEBT_HEALTH,
    AccountData,
    AccountState,
    EMode,
    MarketState,
    Position,
    Reserve,
)

_NO_EMODE = EMode(0, 0, 0, 0)
_HALF_WAD = WAD // 2


@dataclass(frozen=True, slots=True)
class Accrued:
    """A reserve at a timestamp: indices grown to it (ray), and the unpacked fields that valuation reads."""

    reserve: Reserve
    income: int
    debt_index: int
    price: int
    unit: int
    threshold: int
    emode_category: int


@dataclass(frozen=True, slots=True)
class AccruedMarket:
    """A market at a timestamp under one version's rules, against which accounts are valued."""

    rules: Rules
    timestamp: int
    reserves: dict[int, Accrued]
    emodes: dict[int, EMode]
    base_unit: int = 10**8

    def emode(self, category: int) -> EMode:
        return self.emodes.get(category, _NO_EMODE) if category else _NO_EMODE


@dataclass(frozen=True, slots=True)
class PositionValue:
    """One position valued: token units, base currency, and the threshold that applies (bps)."""

    position: Position
    supplied: int
    collateral: int
    threshold: int
    owed: int
    debt: int


def accrue(market: MarketState, timestamp: int, rules: Rules) -> AccruedMarket:
    """Grow every reserve's indices to `timestamp`; MarginError where a reserve's last update is later."""
    reserves = {}
    for reserve in market.reserves.values():
        elapsed = timestamp - reserve.last_update
        income = ray_mul_half_up(linear_interest(reserve.liquidity_rate, elapsed), reserve.liquidity_index)
        compounded = rules.compounded_interest(reserve.variable_borrow_rate, elapsed)
        reserves[reserve.id] = Accrued(
            reserve=reserve,
            income=income,
            debt_index=ray_mul_half_up(compounded, reserve.variable_borrow_index),
            price=reserve.price,
            unit=reserve.unit,
            threshold=reserve.threshold,
            emode_category=reserve.emode_category,
        )
    return AccruedMarket(rules, timestamp, reserves, market.emodes, market.base_unit)


def price_for(accrued: Accrued, category: int, emode: EMode, rules: Rules) -> int:
    """The asset's price for an account in `category`: up to 3.1, an e-mode may have its own price source."""
    if not rules.emode_by_bitmap and emode.price and category == accrued.emode_category:
        return emode.price
    return accrued.price


def in_emode(accrued: Accrued, category: int, emode: EMode, rules: Rules) -> bool:
    """Whether this reserve counts as collateral of the account's e-mode category."""
    if category == 0:
        return False
    if rules.emode_by_bitmap:
        return bool(emode.collateral_bitmap >> accrued.reserve.id & 1)
    return category == accrued.emode_category


def owed_of(position: Position, accrued: Accrued, market: AccruedMarket) -> int:
    """Debt in token units, variable and stable, at the market's timestamp, rounded as the rules say."""
    owed = market.rules.owed(position.scaled_debt, accrued.debt_index) if position.scaled_debt else 0
    return owed + stable_owed(position, market)


def stable_owed(position: Position, market: AccruedMarket) -> int:
    """Stable-rate debt in token units, compounded at the account's own rate, rounded half up."""
    if not position.stable_principal:
        return 0
    grown = market.rules.compounded_interest(position.stable_rate, market.timestamp - position.stable_since)
    return ray_mul_half_up(position.stable_principal, grown)


def value_position(position: Position, account: AccountState, market: AccruedMarket) -> PositionValue:
    """Value one position; `collateral`, `threshold` and `debt` are 0 where the account's bits do not count
    it."""
    rules, accrued = market.rules, market.reserves[position.reserve_id]
    emode = market.emode(account.emode)
    price = price_for(accrued, account.emode, emode, rules)
    supplied = rules.supplied(position.scaled_collateral, accrued.income)
    collateral = threshold = debt = 0
    if account.uses_as_collateral(position.reserve_id) and (
        rules.threshold_zero_counts or accrued.threshold != 0
    ):
        threshold = emode.threshold if in_emode(accrued, account.emode, emode, rules) else accrued.threshold
        collateral = supplied * price // accrued.unit
    owed = owed_of(position, accrued, market)
    if account.borrows(position.reserve_id):
        debt = rules.debt_value(owed, price, accrued.unit)
    return PositionValue(position, supplied, collateral, threshold, owed, debt)


def account_data(account: AccountState, market: AccruedMarket) -> AccountData:
    """Value one account as the pool's own view would at the market's timestamp."""
    collateral = debt = weighted = 0
    for position in account.positions:
        value = value_position(position, account, market)
        collateral += value.collateral
        weighted += value.collateral * value.threshold
        debt += value.debt
    return summarise(collateral, weighted, debt, market.rules)


def summarise(collateral: int, weighted: int, debt: int, rules: Rules) -> AccountData:
    """Account data from sums in base currency; `weighted` is Σ value·threshold (base currency × bps).

    The average threshold is truncated; health is rounded as the version's rules do.
    """
    threshold = weighted // collateral if collateral else 0
    if debt == 0:
        health = NO_DEBT_HEALTH
    elif rules.averages_threshold:
        health = wad_div_half_up(percent_mul_half_up(collateral, threshold), debt)
    else:
        health = wad_div_half_up(weighted, debt) // PERCENT
    return AccountData(collateral, debt, threshold, health)


def equity(data: AccountData) -> int:
    """Σ value·threshold in base currency, to the nearest unit, from the pool's own view.

    The view contains the sum only as health, which is multiplied by the debt; the result is below the debt
    exactly where health is below 1. Without debt: collateral at the average threshold, half up.
    """
    debt, health = data.debt, data.health
    if not debt:
        return percent_mul_half_up(data.collateral, data.threshold)
    found = (health * debt + _HALF_WAD) // WAD
    return found if health >= WAD else min(found, debt - 1)


def reaches(data: AccountData, target_wad: int) -> bool:
    """Whether health is at least `target_wad` (1e18 = 1.0)."""
    return data.health >= target_wad


__all__ = [
    "WAD",
    "Accrued",
    "AccruedMarket",
    "PositionValue",
    "account_data",
    "accrue",
    "equity",
    "in_emode",
    "owed_of",
    "price_for",
    "reaches",
    "stable_owed",
    "summarise",
    "value_position",
]
