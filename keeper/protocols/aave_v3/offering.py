"""Liquidations of any size that the pool opens to anyone, with own or borrowed money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from keeper.chain.calldata import encoded
from keeper.margin.lending.aave import health, liquidation
from keeper.margin.lending.aave.health import AccruedMarket
from keeper.margin.lending.aave.liquidation import Outcome, Pair
from keeper.margin.lending.aave.rules import CloseFactor
from keeper.margin.lending.aave.state import AccountState, Reserve
from keeper.model.bisection import edge
from keeper.model.offer import Asset, FlashLender, Offer, Quote
from keeper.model.plan import Blocked, FlashLoan
from keeper.model.purse import Purse
from keeper.protocols.aave_v3.calls import ERRORS, LIQUIDATE
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.permissions import in_grace, no_pair, pair_opens, sentinel_closed

# Whole debts grow until the block that includes the call; this many seconds of interest are allowed for.
GRACE = 120
# Measured among others in one transaction (docs/LIQUIDATOR.md), with room: the call, and each position of the
# account. Up to 3.2 the call takes more.
CALL_GAS = 138_000
OLD_CALL_GAS = 158_000
POSITION_GAS = 9_000
SIGNER_GAS, SIGNER_POSITION_GAS = 450_000, 12_000
"""Gas where the signer calls alone, and every slot is cold."""


def offers(
    pool: str, state: PoolState, account: str, raw: AccountState, timestamp: int, purse: Purse
) -> list[Offer] | Blocked:
    """Every pair that the pool would accept at `timestamp`, the best gain first. For collateral that it
    cannot pay out, claims (aTokens) are offered as well."""
    now = state.at(timestamp)
    present = health.account_data(raw, now).health
    if present >= health.WAD:
        return Blocked("health is back above 1")
    closed = sentinel_closed(state.sentinel, present, timestamp)
    if closed is not None:
        return closed
    possible = liquidation.options(raw, now)
    if not possible:
        return no_pair(raw, state.market, purse)
    found = [each for each in possible if pair_opens(each, timestamp) is None]
    if not found:
        return in_grace(possible, timestamp)
    later = state.at(timestamp + GRACE)
    old = now.rules.close_factor is CloseFactor.BY_RESERVE
    gas = (OLD_CALL_GAS if old else CALL_GAS) + POSITION_GAS * len(raw.positions)
    offered = [
        _offer(pool, account, raw, each.pair, now, later, purse, gas, claims=claims)
        for each in found
        for claims in (False, True)
    ]
    return [each for each in offered if each.max_sizes]


def lenders(pool: str, state: PoolState) -> Mapping[str, FlashLender]:
    """The pool's own flash loans: all its cash, where the reserve allows them."""
    loan = FlashLoan("aave-v3", pool.lower(), state.flash_loan_premium * 100)
    return {
        reserve.asset.lower(): FlashLender(loan, reserve.available_liquidity)
        for reserve in state.market.reserves.values()
        if reserve.flash_loans and reserve.active and not reserve.paused
    }


def asset(reserve: Reserve, purse: Purse) -> Asset:
    return Asset(reserve.asset.lower(), purse.symbol(reserve.asset), reserve.price, reserve.unit)


def _offer(
    pool: str,
    account: str,
    raw: AccountState,
    pair: Pair,
    now: AccruedMarket,
    later: AccruedMarket,
    purse: Purse,
    gas: int,
    *,
    claims: bool,
) -> Offer:
    paid_out, dry = _tops(pair, now)
    gets = asset(pair.collateral.reserve, purse)
    return Offer(
        pays=asset(pair.debt.reserve, purse),
        gets=replace(gets, symbol=f"a{gets.symbol}") if claims else gets,
        target=pool.lower(),
        max_sizes=dry if claims else paid_out,
        deal=partial(_deal, account, raw, pair, now, later, claims),
        gas=gas,
        errors=ERRORS,
        taker="signer" if claims else "anyone",
        redeem=pair.collateral.reserve.asset if claims else "",
        gas_of_signer=SIGNER_GAS + SIGNER_POSITION_GAS * len(raw.positions),
    )


def _tops(pair: Pair, market: AccruedMarket) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The largest repayable amounts, all of the debt or the most that leaves no dust: where the pool can pay
    out, and where it cannot."""
    whole = liquidation.outcome(pair, pair.max_debt, market)
    partial_most = liquidation.largest_without_dust(pair, pair.max_debt - 1, market)
    sizes = [] if whole.leaves_dust else [pair.max_debt]
    if partial_most is not None and whole.repaid > partial_most.repaid:
        sizes.append(partial_most.repaid)
    dry = [each for each in sizes if _dry(pair, liquidation.outcome(pair, each, market))]
    if not dry:
        return tuple(sizes), ()
    # What is there can still be had: the size that just takes it.
    available = pair.collateral.reserve.available_liquidity
    most = edge(lambda size: liquidation.outcome(pair, size, market).received <= available, 0, min(dry))
    return tuple(each for each in sizes if each not in dry) + ((most,) if most else ()), tuple(dry)


def _dry(pair: Pair, result: Outcome) -> bool:
    return result.received > pair.collateral.reserve.available_liquidity


def _deal(
    account: str,
    raw: AccountState,
    pair: Pair,
    now: AccruedMarket,
    later: AccruedMarket,
    claims: bool,
    cover: int,
) -> Quote | None:
    if not 0 < cover <= pair.max_debt:
        return None
    result = liquidation.outcome(pair, cover, now)
    if result.leaves_dust or _dry(pair, result) != claims or not liquidation.moves(pair, result, now):
        return None
    allowance = result.repaid
    if result.repaid == pair.owed or result.takes_all:
        allowance = grown(raw, pair, result.repaid, later)
    collateral, debt = pair.collateral.reserve.asset, pair.debt.reserve.asset

    def call(most: int) -> bytes:
        return encoded(LIQUIDATE, collateral, debt, account, most, claims)

    return Quote(result.repaid, allowance, result.received, (call(allowance),), call)


def grown(raw: AccountState, chosen: Pair, repaid: int, later: AccruedMarket) -> int:
    """What the same whole-position liquidation repays if it is included a little later."""
    for pair in liquidation.pairs(raw, later):
        same_debt = pair.debt.reserve.id == chosen.debt.reserve.id
        if same_debt and pair.collateral.reserve.id == chosen.collateral.reserve.id:
            most = liquidation.outcome(pair, pair.max_debt, later)
            enough = liquidation.cover_for_all_collateral(pair) if most.takes_all else most.repaid
            return max(min(enough, pair.max_debt), repaid)
    return repaid
