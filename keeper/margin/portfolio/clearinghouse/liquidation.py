"""A liquidation of the clearinghouse, foreseen to the unit: who has what afterwards, and what is paid.

As contracts/src/clearinghouse/Clearinghouse.sol (liquidate) and Legs.sol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.markets import mark_of
from keeper.margin.portfolio.clearinghouse.screening import ExactMarket, cash_now
from keeper.margin.portfolio.clearinghouse.values import MAX_LEGS, ClearingLeg, ClearingState, Kind
from keeper.margin.rounding import WAD, div_trunc, mul_div_up

HOUR = 3600


@dataclass(frozen=True, slots=True)
class ClearingTerms:
    """`Terms` of Clearinghouse.sol: fractions have 18 decimals, times are seconds."""

    cash_cap: int
    rate: int
    debt_share: int
    sale_discount: int
    grace: int
    lapse: int
    hard_floor: int
    discount_start: int
    discount_rise: int
    discount_most: int
    buffer: int


@dataclass(frozen=True, slots=True)
class SliceTaken:
    """Both accounts after a share was taken over, what the taker paid (below zero: got), what it got off the
    marks, and what the account is worth in the scenario named, and may be at most."""

    account: ClearingState
    taker: ClearingState
    paid: int
    off: int
    value: int
    most: int


def liquidation_discount(called_at: int, now: int, equity: int, loss: int, terms: ClearingTerms) -> int | str:
    """The discount of a liquidation at `now`, as a fraction of the loss; or why there is none."""
    is_called = called_at and now < called_at + terms.lapse
    if now < called_at + terms.grace or not is_called:
        if equity * WAD < loss * terms.hard_floor:
            return terms.discount_start
        return f"its owner has until {called_at + terms.grace}" if is_called else "nobody has called it yet"
    start = called_at + terms.grace
    return min(terms.discount_start + terms.discount_rise * (now - start) // HOUR, terms.discount_most)


def total_off(equity: int, loss: int, discount: int, terms: ClearingTerms) -> int:
    """What the taker of the whole account gets off: beyond the first discount only equity pays it."""
    least = loss * terms.discount_start // WAD
    return min(loss * discount // WAD, max(equity, least))


def slice_taken(
    market: ExactMarket,
    account: ClearingState,
    taker: ClearingState,
    scenario: int,
    share: int,
    discount: int,
    terms: ClearingTerms,
) -> SliceTaken:
    """What a liquidation of `share` (18 decimals) does, at the market's moment."""
    before = market.value(account, [scenario])
    loss = before.equity - before.worst
    marks = marks_of(market, account)
    given, got, cash = account, taker, 0
    for leg in account.legs:
        part = part_of(leg.size, share)
        price, is_perpetual = marks[leg.instrument]
        given, profit = traded(given, leg.instrument, -part, price)
        got, other = traded(got, leg.instrument, part, price)
        cash += profit if is_perpetual else part * price
        got = replace(got, cash=got.cash + (other if is_perpetual else -part * price))
    worth, kept, added = 0, [], []
    for place, amount in enumerate(account.collateral):
        part = part_of(amount, share)
        worth += part * market.at.quotes[place].price // WAD
        kept.append(amount - part)
        added.append(part)
    off = total_off(before.equity, loss, discount, terms) * share // WAD
    paid = worth - off
    mine = list(taker.collateral) + [0] * (len(added) - len(taker.collateral))
    due, index = market.cash.due, market.cash.index
    after = ClearingState(cash_now(account, market.cash) + cash + paid, due, index, tuple(kept), given.legs)
    if after.cash < 0 and not after.legs and not any(after.collateral):
        after = replace(after, cash=0)
    interest = cash_now(taker, market.cash) - taker.cash
    owner = ClearingState(
        got.cash + interest - paid,
        due,
        index,
        tuple(a + b for a, b in zip(mine, added, strict=True)),
        got.legs,
    )
    left = market.value(after, [scenario])
    most = div_trunc((left.equity - left.worst) * terms.buffer, WAD)
    return SliceTaken(after, owner, paid, off, left.worst, most)


def marks_of(market: ExactMarket, account: ClearingState) -> Mapping[int, tuple[int, bool]]:
    """What each of an account's instruments changes hands at (9 decimals; of a perpetual less funding), and
    whether it is a perpetual."""
    found = {}
    for leg in account.legs:
        terms = market.instruments[leg.instrument]
        mark = mark_of(market.table.lines[leg.instrument])
        is_perpetual = terms.kind is Kind.PERPETUAL
        funding = market.at.spots[terms.underlying].funding if is_perpetual else 0
        found[leg.instrument] = mark - funding, is_perpetual
    return found


def part_of(whole: int, share: int) -> int:
    """⌈|whole|·share⌉ with the sign of the whole."""
    part = mul_div_up(abs(whole), share, WAD)
    return part if whole >= 0 else -part


def traded(state: ClearingState, instrument: int, change: int, price: int) -> tuple[ClearingState, int]:
    """The state with `change` of size bought at `price`, and the profit of what that closes. As Legs.sol;
    MarginError where it has no room for another leg."""
    if not change:
        return state, 0
    legs = {leg.instrument: leg for leg in state.legs}
    leg = legs.get(instrument, ClearingLeg(instrument, 0, 0))
    size, cost, profit = leg.size, leg.cost, 0
    if size and (size > 0) != (change > 0):
        closed = min(abs(change), abs(size)) * (1 if size > 0 else -1)
        share = div_trunc(cost * closed, size)
        profit = closed * price - share
        size, cost, change = size - closed, cost - share, change + closed
    size += change
    if size:
        legs[instrument] = ClearingLeg(instrument, size, cost + change * price)
    else:
        legs.pop(instrument, None)
    if len(legs) > MAX_LEGS:
        raise MarginError(f"has {MAX_LEGS} legs already", field="legs", remedy="Close one")
    return replace(state, legs=tuple(legs.values())), profit
