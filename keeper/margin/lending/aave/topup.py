"""The smallest supply or repayment that brings an account to a target health, to the unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from keeper.margin.lending.aave.fixed import PERCENT, WAD, wad_div_half_up
from keeper.margin.lending.aave.health import (
    Accrued,
    AccruedMarket,
    account_data,
    in_emode,
    stable_owed,
    value_position,
)
from keeper.margin.lending.aave.state import AccountState, Position
from keeper.model.bisection import edge


def after_supply(account: AccountState, market: AccruedMarket, reserve_id: int, amount: int) -> AccountState:
    """The account after `supply` of `amount` token units, enabled as collateral."""
    shares = market.rules.supply_shares(amount, market.reserves[reserve_id].income)
    held = account.position(reserve_id)
    grown = replace(held, scaled_collateral=held.scaled_collateral + shares)
    return _with(account, grown, account.configuration | 1 << (2 * reserve_id + 1))


def after_repay(
    account: AccountState, market: AccruedMarket, reserve_id: int, amount: int, *, stable: bool = False
) -> AccountState:
    """The account after `repay` of `amount` token units of its variable (or stable) debt."""
    held = account.position(reserve_id)
    if stable:
        owed = stable_owed(held, market)
        left = replace(held, stable_principal=owed - min(amount, owed), stable_since=market.timestamp)
    else:
        index = market.reserves[reserve_id].debt_index
        owed = market.rules.owed(held.scaled_debt, index)
        burnt = market.rules.repay_shares(min(amount, owed), index)
        left = replace(held, scaled_debt=held.scaled_debt - burnt)
    cleared = left.scaled_debt == 0 and left.stable_principal == 0
    configuration = account.configuration & ~(1 << (2 * reserve_id)) if cleared else account.configuration
    return _with(account, left, configuration)


def _with(account: AccountState, position: Position, configuration: int) -> AccountState:
    others = tuple(p for p in account.positions if p.reserve_id != position.reserve_id)
    ordered = tuple(sorted((*others, position), key=lambda p: p.reserve_id))
    return AccountState(account.emode, configuration, ordered)


def accepts_supply(account: AccountState, market: AccruedMarket, reserve_id: int, held: int) -> bool:
    """Whether more of this asset would count as the account's collateral.

    `held` is the account's scaled aToken balance of the reserve, which the bitmap does not show when
    the collateral is disabled. A first supply is enabled unless the asset's LTV for this account is zero or
    isolation mode forbids it.
    """
    accrued = market.reserves.get(reserve_id)
    if accrued is None or not accrued.reserve.active or accrued.reserve.frozen or accrued.reserve.paused:
        return False
    if account.uses_as_collateral(reserve_id):
        return True
    if held or not _ltv(account, accrued, market) or accrued.reserve.debt_ceiling:
        return False
    used = [i for i in market.reserves if account.uses_as_collateral(i)]
    return not (len(used) == 1 and market.reserves[used[0]].reserve.debt_ceiling)


def _ltv(account: AccountState, accrued: Accrued, market: AccruedMarket) -> int:
    """LTV (bps) of a collateral for this account; from 3.2 on its e-mode's replaces the reserve's."""
    emode = market.emode(account.emode)
    if not (market.rules.emode_by_bitmap and in_emode(accrued, account.emode, emode, market.rules)):
        return accrued.reserve.ltv
    return 0 if emode.ltv_zero_bitmap >> accrued.reserve.id & 1 else emode.ltv


def minimal_supply(account: AccountState, market: AccruedMarket, reserve_id: int, target: int) -> int | None:
    """Fewest token units of a collateral whose supply brings health to `target` (wad); None if none can.

    Where health goes through the truncated average threshold (to 3.4), it is not monotone in the amount:
    it drops at each step of the average. The search bounds the answer from below by health without
    truncation, which is monotone, and walks the steps upward from there.
    """

    def reaches(amount: int) -> bool:
        return account_data(after_supply(account, market, reserve_id, amount), market).health >= target

    if reaches(0):
        return 0
    highest = _first_reaching(lambda x: _untruncated(account, market, reserve_id, x) >= target)
    if highest is None:
        return None
    if not market.rules.averages_threshold:
        return _settle(highest, reaches)
    amount = highest
    while True:
        step_end = _end_of_step(account, market, reserve_id, amount)
        if reaches(step_end):
            return _least(reaches, amount, step_end)
        if step_end >= LARGEST:
            return None
        amount = step_end + 1


def minimal_repay(
    account: AccountState, market: AccruedMarket, reserve_id: int, target: int, *, stable: bool = False
) -> int | None:
    """Fewest token units of this debt whose repayment brings health to `target` (wad).

    None if there is no such debt or repaying all of it is not enough.
    """
    held = account.position(reserve_id)
    owed = (
        stable_owed(held, market)
        if stable
        else market.rules.owed(held.scaled_debt, market.reserves[reserve_id].debt_index)
    )

    def reaches(amount: int) -> bool:
        after = after_repay(account, market, reserve_id, amount, stable=stable)
        return account_data(after, market).health >= target

    if not owed or not reaches(owed):
        return None
    return 0 if reaches(0) else _least(reaches, 0, owed)


LARGEST = 1 << 120


def _least(reaches: Callable[[int], bool], low: int, high: int) -> int:
    """Least x in [low, high] with reaches(x), which is monotone there and holds at `high`."""
    if reaches(low):
        return low
    return edge(reaches, high, low)


def _first_reaching(reaches: Callable[[int], bool]) -> int | None:
    high = 1
    while not reaches(high):
        high *= 4
        if high > LARGEST:
            return None
    return _least(reaches, 0, high)


def _settle(start: int, reaches: Callable[[int], bool]) -> int | None:
    """The exact least amount near `start`: exact health may differ from the bound by a unit of rounding."""
    low, high = max(start - 1, 0), start
    width = 1
    while reaches(low) and low:
        low = max(low - width, 0)
        width *= 2
    while not reaches(high):
        high += width
        width *= 2
        if high > LARGEST:
            return None
    return _least(reaches, low, high)


def _untruncated(account: AccountState, market: AccruedMarket, reserve_id: int, amount: int) -> int:
    """Health from Σ value·threshold without truncating the average: an upper bound, within one unit."""
    after = after_supply(account, market, reserve_id, amount)
    values = [value_position(p, after, market) for p in after.positions]
    debt = sum(v.debt for v in values)
    weighted = sum(v.collateral * v.threshold for v in values) + PERCENT
    return wad_div_half_up(weighted, debt * PERCENT) + 1 if debt else WAD * WAD


def _end_of_step(account: AccountState, market: AccruedMarket, reserve_id: int, amount: int) -> int:
    """Largest amount at which the truncated average threshold is still what it is at `amount`."""

    def threshold(x: int) -> int:
        return account_data(after_supply(account, market, reserve_id, x), market).threshold

    here = threshold(amount)
    if threshold(LARGEST) == here:
        return LARGEST
    return edge(lambda x: threshold(x) == here, amount, LARGEST)
