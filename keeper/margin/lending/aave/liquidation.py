"""The outcome of a `liquidationCall`, by version, and the liquidations that an account offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from keeper.margin.lending.aave.close_factor import MIN_LEFTOVER_BASE, max_liquidatable
from keeper.margin.lending.aave.fixed import (
    WAD,
    mul_div_ceil,
    percent_div_ceil,
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
from keeper.model.bisection import edge


@dataclass(frozen=True, slots=True)
class Pair:
    """One collateral and one debt of an account, valued by the version's rules.

    Balances in token units (`scaled`: scaled units, of which `supplied` is the balance), prices in the
    oracle's base unit, the bonus in basis points. `max_debt` is the most that one call may repay.
    """

    collateral: Accrued
    debt: Accrued
    collateral_price: int
    debt_price: int
    bonus: int
    scaled: int
    supplied: int
    owed: int
    max_debt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the call moves: debt repaid, collateral to the liquidator, fee to the treasury (token units).

    `seized` is `received` plus the fee as computed; rounding may leave the treasury less: `fee`. `takes_all`:
    the account keeps nothing of this collateral. `leaves_dust`: the pool reverts for what would remain.
    """

    repaid: int
    received: int
    fee: int
    takes_all: bool
    leaves_dust: bool
    seized: int


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A possible liquidation: the pair, its outcome, and its gain in base currency at oracle prices."""

    pair: Pair
    outcome: Outcome
    gain: int

    @property
    def clears_debt(self) -> bool:
        """Whether all of this debt is repaid."""
        return self.outcome.repaid == self.pair.owed


def pairs(account: AccountState, market: AccruedMarket) -> Iterator[Pair]:
    """All pairs that the pool would accept for this account by its flags; the caller checks health."""
    data = account_data(account, market)
    emode = market.emode(account.emode)
    own_price = emode.price if account.emode and not market.rules.emode_by_bitmap else 0
    for held in account.positions:
        collateral = market.reserves[held.reserve_id]
        if not (
            account.uses_as_collateral(held.reserve_id)
            and (market.rules.threshold_zero_counts or collateral.threshold)
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
                scaled=held.scaled_collateral,
                supplied=supplied,
                owed=owed,
                max_debt=0,
            )
            # Without a bonus or a price the pool divides by zero.
            if pair.collateral_price and pair.debt_price and pair.bonus:
                yield _with_close_factor(pair, data, market)


def _with_close_factor(pair: Pair, data: AccountData, market: AccruedMarket) -> Pair:
    rules = market.rules
    limit = max_liquidatable(
        owed=pair.owed,
        owed_base=rules.debt_value(pair.owed, pair.debt_price, pair.debt.unit),
        supplied_base=pair.supplied * pair.collateral_price // pair.collateral.unit,
        data=data,
        price=pair.debt_price,
        unit=pair.debt.unit,
        rules=rules,
    )
    return replace(pair, max_debt=limit)


def outcome(pair: Pair, debt_to_cover: int, market: AccruedMarket) -> Outcome:
    """The outcome of `liquidationCall(…, debt_to_cover)` (token units) for this pair, exact."""
    repaid = min(debt_to_cover, pair.max_debt)
    base = (pair.debt_price * repaid * pair.collateral.unit) // (pair.collateral_price * pair.debt.unit)
    rules = market.rules
    seized = rules.seized(base, pair.bonus)
    if seized > pair.supplied:
        seized = pair.supplied
        worth = (pair.collateral_price * seized * pair.debt.unit) // (pair.debt_price * pair.collateral.unit)
        repaid = rules.seized_debt_needed(worth, pair.bonus)
    fee = 0
    fee_rate = pair.collateral.reserve.protocol_fee
    if fee_rate:
        fee = rules.fee(seized - rules.seized_base(seized, pair.bonus), fee_rate)
    received = seized - fee
    dust = _leaves_dust(pair, repaid, seized, fee, market)
    left = _fee_left(pair, received, fee, market)
    return Outcome(repaid, received, left, seized == pair.supplied, dust, seized)


def _fee_left(pair: Pair, received: int, fee: int, market: AccruedMarket) -> int:
    """The fee in token units, or what the rounding of the liquidator's part leaves of it."""
    income, shares = pair.collateral.income, market.rules.seized_shares
    left = pair.scaled - shares(received, income)
    return fee if shares(fee, income) <= left else market.rules.supplied(left, income)


def _leaves_dust(pair: Pair, repaid: int, seized: int, fee: int, market: AccruedMarket) -> bool:
    """Whether the pool reverts for dust (3.3 and later): both sides remain and one is worth less than 1,000
    in base currency."""
    if market.rules.close_factor is CloseFactor.BY_RESERVE:
        return False
    if repaid >= pair.owed or seized >= pair.supplied:
        return False
    debt_left = market.rules.debt_value(pair.owed - repaid, pair.debt_price, pair.debt.unit)
    left = pair.supplied - (seized if market.rules.dust_counts_fee else seized - fee)
    collateral_left = left * pair.collateral_price // pair.collateral.unit
    return min(debt_left, collateral_left) < MIN_LEFTOVER_BASE


def largest_without_dust(pair: Pair, budget: int, market: AccruedMarket) -> Outcome | None:
    """The outcome of repaying the most within `budget` (token units) without a dust revert; None: nothing."""
    most = min(budget, pair.max_debt)
    if most <= 0:
        return None
    result = outcome(pair, most, market)
    if not result.leaves_dust:
        return result if moves(pair, result, market) else None
    cover = edge(lambda units: not outcome(pair, units, market).leaves_dust, 0, most)
    smaller = outcome(pair, cover, market)
    return smaller if cover and moves(pair, smaller, market) and not smaller.leaves_dust else None


def moves(pair: Pair, result: Outcome, market: AccruedMarket) -> bool:
    """Whether both sides move at least one scaled unit: the tokens revert on burning zero."""
    burnt = market.rules.repay_shares(result.repaid, pair.debt.debt_index)
    return bool(burnt and market.rules.seized_shares(result.received, pair.collateral.income))


def cover_for_all_collateral(pair: Pair) -> int:
    """A debt to cover (token units) that takes the pair's whole collateral: the least, up to one rounding.

    Repaying exactly the collateral's value may take a unit less of it, which in 3.3 and later reverts for the
    dust. So the cover is worth more than the collateral; the pool itself reduces what is repaid.
    """
    worth = mul_div_ceil(
        (pair.supplied + 1) * pair.collateral_price, pair.debt.unit, pair.debt_price * pair.collateral.unit
    )
    return percent_div_ceil(worth, pair.bonus) + 1


def gain(pair: Pair, result: Outcome) -> int:
    """Value received (rounded down) minus value repaid (rounded up), base currency, at the oracle's prices;
    costs not counted."""
    received = result.received * pair.collateral.price // pair.collateral.unit
    return received - mul_div_ceil(result.repaid, pair.debt.price, pair.debt.unit)


def options(
    account: AccountState, market: AccruedMarket, budgets: Mapping[int, int] | None = None
) -> list[Liquidation]:
    """Every pair at the largest amount that the rules and `budgets` allow, best gain first.

    `budgets` maps a debt reserve's id to the token units that the liquidator may spend; None: no limit.
    Empty where the account's health is not below 1.
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
