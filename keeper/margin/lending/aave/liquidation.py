"""What a `liquidationCall` would do, by version, and the best one an account offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keeper.margin.lending.aave.fixed import (
    WAD,
    mul_div_ceil,
    percent_div_half_up,
    percent_mul_half_up,
)
from keeper.margin.lending.aave.health import (
    Accrued,
    AccruedMarket,
    account_data,
    in_emode,
    owed_of,
)
from keeper.margin.lending.aave.rules import CloseFactor
from keeper.margin.lending.aave.state import AccountData, AccountState

HALF = 5_000
WHOLE_CLOSE_HEALTH = 95 * WAD // 100
WHOLE_CLOSE_BASE = 2_000 * 10**8
MIN_LEFTOVER_BASE = WHOLE_CLOSE_BASE // 2


@dataclass(frozen=True, slots=True)
class Pair:
    """One collateral and one debt of an account, with what the version's rules make of them.

    Token units for balances, the oracle's base unit for prices, basis points for the bonus.
    """

    collateral: Accrued
    debt: Accrued
    collateral_price: int
    debt_price: int
    bonus: int
    supplied: int
    owed: int
    max_debt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the call moves: debt repaid, collateral to the liquidator, fee to the treasury (token units)."""

    repaid: int
    received: int
    fee: int
    leaves_dust: bool


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A liquidation to make: the pair, its outcome, and its gain in base currency at oracle prices."""

    pair: Pair
    outcome: Outcome
    gain: int

    @property
    def clears_debt(self) -> bool:
        return self.outcome.repaid == self.pair.owed


def pairs(account: AccountState, market: AccruedMarket) -> Iterator[Pair]:
    """All pairs the pool would accept for this account by its flags; health is the caller's to check."""
    data = account_data(account, market)
    emode = market.emode(account.emode)
    own_price = emode.price if account.emode and not market.rules.emode_by_bitmap else 0
    for held in account.positions:
        collateral = market.reserves[held.reserve_id]
        if not (
            account.uses_as_collateral(held.reserve_id)
            and collateral.threshold
            and collateral.reserve.active
            and not collateral.reserve.paused
        ):
            continue
        shares_emode = in_emode(collateral, account.emode, emode, market.rules)
        supplied = market.rules.supplied(held.scaled_collateral, collateral.income)
        for owing in account.positions:
            debt = market.reserves[owing.reserve_id]
            owed = owed_of(owing, debt, market)
            if not (owed and supplied and debt.reserve.active and not debt.reserve.paused):
                continue
            pair = Pair(
                collateral=collateral,
                debt=debt,
                collateral_price=own_price if own_price and shares_emode else collateral.price,
                debt_price=own_price or debt.price,
                bonus=emode.bonus if shares_emode else collateral.reserve.bonus,
                supplied=supplied,
                owed=owed,
                max_debt=0,
            )
            if pair.collateral_price and pair.debt_price:
                yield _with_close_factor(pair, data, market)


def _with_close_factor(pair: Pair, data: AccountData, market: AccruedMarket) -> Pair:
    limit = pair.owed
    if market.rules.close_factor is CloseFactor.BY_RESERVE:
        if data.health > WHOLE_CLOSE_HEALTH:
            limit = percent_mul_half_up(pair.owed, HALF)
    elif data.health > WHOLE_CLOSE_HEALTH:
        debt_base = mul_div_ceil(pair.owed, pair.debt_price, pair.debt.unit)
        collateral_base = pair.supplied * pair.collateral_price // pair.collateral.unit
        half = percent_mul_half_up(data.debt, HALF)
        if min(debt_base, collateral_base) >= WHOLE_CLOSE_BASE and debt_base > half:
            limit = half * pair.debt.unit // pair.debt_price
    return Pair(
        pair.collateral,
        pair.debt,
        pair.collateral_price,
        pair.debt_price,
        pair.bonus,
        pair.supplied,
        pair.owed,
        limit,
    )


def outcome(pair: Pair, debt_to_cover: int, market: AccruedMarket) -> Outcome:
    """What `liquidationCall(…, debt_to_cover)` does with this pair, to the unit."""
    repaid = min(debt_to_cover, pair.max_debt)
    base = (pair.debt_price * repaid * pair.collateral.unit) // (pair.collateral_price * pair.debt.unit)
    seized = percent_mul_half_up(base, pair.bonus)
    if seized > pair.supplied:
        seized = pair.supplied
        worth = (pair.collateral_price * seized * pair.debt.unit) // (
            pair.debt_price * pair.collateral.unit
        )
        repaid = market.rules.seized_debt_needed(worth, pair.bonus)
    fee = 0
    fee_rate = pair.collateral.reserve.protocol_fee
    if fee_rate:
        fee = percent_mul_half_up(seized - percent_div_half_up(seized, pair.bonus), fee_rate)
    return Outcome(repaid, seized - fee, fee, _leaves_dust(pair, repaid, seized, market))


def _leaves_dust(pair: Pair, repaid: int, seized: int, market: AccruedMarket) -> bool:
    """3.3 and later revert when both sides remain and one of them is worth less than 1000."""
    if market.rules.close_factor is CloseFactor.BY_RESERVE:
        return False
    if repaid >= pair.owed or seized >= pair.supplied:
        return False
    debt_left = mul_div_ceil(pair.owed - repaid, pair.debt_price, pair.debt.unit)
    collateral_left = (pair.supplied - seized) * pair.collateral_price // pair.collateral.unit
    return min(debt_left, collateral_left) < MIN_LEFTOVER_BASE


def largest_without_dust(pair: Pair, budget: int, market: AccruedMarket) -> Outcome | None:
    """The most that `budget` token units may repay without a dust revert; None when nothing may."""
    most = min(budget, pair.max_debt)
    if most <= 0:
        return None
    result = outcome(pair, most, market)
    if not result.leaves_dust:
        return result if result.repaid and result.received else None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if outcome(pair, middle, market).leaves_dust:
            high = middle
        else:
            low = middle
    result = outcome(pair, low, market) if low else None
    return result if result and result.received and not result.leaves_dust else None


def gain(pair: Pair, result: Outcome) -> int:
    """Value received minus value repaid, base currency, at the oracle's prices; costs not counted."""
    received = result.received * pair.collateral.price // pair.collateral.unit
    return received - mul_div_ceil(result.repaid, pair.debt.price, pair.debt.unit)


def options(
    account: AccountState, market: AccruedMarket, budgets: Mapping[int, int] | None = None
) -> list[Liquidation]:
    """Every pair at the largest amount that the rules and `budgets` allow, best gain first.

    `budgets` maps a debt reserve's id to the token units the liquidator may spend; None is no limit.
    Empty when the account's health is not below 1.
    """
    if account_data(account, market).health >= WAD:
        return []
    found = []
    for pair in pairs(account, market):
        budget = pair.max_debt if budgets is None else budgets.get(pair.debt.reserve.id, 0)
        result = largest_without_dust(pair, budget, market)
        if result is not None:
            found.append(Liquidation(pair, result, gain(pair, result)))
    return sorted(found, key=lambda each: (-each.gain, each.pair.debt.reserve.id))
