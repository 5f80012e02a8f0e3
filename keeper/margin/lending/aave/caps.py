"""How much more a reserve accepts under its supply cap, to the unit."""

from __future__ import annotations

from keeper.margin.lending.aave.fixed import RAY, percent_mul_half_up, ray_mul_half_up
from keeper.margin.lending.aave.health import Accrued, AccruedMarket


def supply_room(accrued: Accrued, market: AccruedMarket) -> int | None:
    """Most token units that one `supply` may bring at the market's timestamp; None without a cap.

    The cap counts what the treasury is owed, including the interest that the supply itself first accrues.
    Source: ValidationLogic.validateSupply and ReserveLogic._accrueToTreasury of core-v3 1.19.3 (the balance
    of all shares plus the amount) and Origin 3.6.0 (the balance of all shares, the new ones among them).
    """
    reserve, rules = accrued.reserve, market.rules
    if not reserve.supply_cap:
        return None
    cap = reserve.supply_cap * accrued.unit
    shares = reserve.scaled_supply + treasury_shares(accrued, market)
    if not rules.cap_on_shares:
        return max(cap - rules.supplied(shares, accrued.income), 0)
    # ⌊n·income / RAY⌋ ≤ cap gives the most shares n; ⌊amount·RAY / income⌋ ≤ m the largest amount for m.
    most = ((cap + 1) * RAY - 1) // accrued.income
    if most <= shares:
        return 0
    return ((most - shares + 1) * accrued.income - 1) // RAY


def treasury_shares(accrued: Accrued, market: AccruedMarket) -> int:
    """Scaled units that the treasury is owed, with interest up to the market's timestamp."""
    reserve, rules = accrued.reserve, market.rules
    growth = rules.debt_growth(
        reserve.scaled_variable_debt, reserve.variable_borrow_index, accrued.debt_index
    ) + _stable_growth(accrued, market)
    share = percent_mul_half_up(growth, reserve.reserve_factor)
    return reserve.accrued_to_treasury + rules.supply_shares(share, accrued.income)


def _stable_growth(accrued: Accrued, market: AccruedMarket) -> int:
    """Interest on all stable debt since the reserve's last update, in token units: the difference of two
    totals, each compounded from `stable_since`."""
    reserve = accrued.reserve
    if not reserve.stable_principal:
        return 0

    def total(timestamp: int) -> int:
        elapsed = timestamp - reserve.stable_since
        grown = market.rules.compounded_interest(reserve.stable_rate, elapsed)
        return ray_mul_half_up(reserve.stable_principal, grown)

    return total(market.timestamp) - total(reserve.last_update)
