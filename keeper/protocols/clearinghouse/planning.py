"""Margin calls, liquidations by a share of the whole account, and what anybody may add to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

from eth_utils.crypto import keccak

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.contracts import artifact
from keeper.errors import MarginError
from keeper.margin.portfolio.clearinghouse.liquidation import (
    ClearingTerms,
    SliceTaken,
    liquidation_discount,
    slice_taken,
)
from keeper.margin.portfolio.clearinghouse.screening import cash_now
from keeper.margin.portfolio.clearinghouse.values import ClearingState
from keeper.margin.rounding import WAD
from keeper.model.bisection import least
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import KEPT_PERCENT, Blocked, Check
from keeper.model.purse import Purse
from keeper.protocols.clearinghouse.lens import ClearingHouseState
from keeper.protocols.clearinghouse.records import ClearingAccount
from keeper.protocols.clearinghouse.valuing import ClearingMoment
from keeper.protocols.cures import ENDLESS, MOST, Cure, grown, needed

ERRORS = "clearinghouse_errors"
CALL = "call(uint256,uint256)"
LIQUIDATE = "liquidate(uint256,uint256,uint256,uint256,int256)"
DEPOSIT = "deposit(uint256,uint256,uint256)"
DEPOSIT_CASH = "depositCash(uint256,uint256)"
# Measured, with room. A liquidation of eleven legs takes 3.65 million, most of it for judging each leg of the
# taker's in each scenario of the initial set.
CALL_GAS, LIQUIDATION_GAS, JUDGING_GAS, ADDING_GAS = 600_000, 1_200_000, 8_000, 500_000
SHARES = 10**6
"""A liquidation takes so many parts in a million."""


def number(account: str) -> int:
    """An account's number, from its key."""
    return int(account, 16)


@cache
def arithmetic_hash() -> str:
    """The hash of the code that values accounts, as it was compiled here."""
    code = bytes.fromhex(artifact("clearinghouse/Valuation")["deployedBytecode"][2:])
    return "0x" + keccak(code).hex()


def assets(state: ClearingHouseState, purse: Purse) -> Mapping[str, Asset]:
    """Cash and collateral tokens that have a price (18 decimals, a whole token)."""
    cash = state.parts.cash_token
    found = {cash: Asset(cash, purse.symbol(cash), WAD, 10**state.decimals)}
    for each in state.collaterals:
        if each.quote is not None:
            unit = 10**each.decimals
            found[each.token] = Asset(
                each.token, purse.symbol(each.token), each.quote.price * unit // WAD, unit
            )
    return found


def offers(
    house: str,
    moment: ClearingMoment,
    account: str,
    raw: ClearingAccount,
    own: int | None,
    purse: Purse,
) -> list[Offer] | Blocked:
    """The largest share that the protocol's rules and the keeper's own account allow, at the marks less the
    discount."""
    state, market = moment.state, moment.maintenance
    found = market.value(raw.state)
    if found.worst >= 0:
        return Blocked("it is above maintenance again")
    halted = moment.halted(raw)
    if halted is not None:
        return Blocked(f"instrument {halted} is halted until it is deleveraged")
    loss = found.equity - found.worst
    discount = liquidation_discount(raw.called_at, moment.timestamp, found.equity, loss, state.terms)
    if isinstance(discount, str):
        return Blocked(discount)
    taker = state.own
    if own is None or taker is None:
        return Blocked("no account of the keeper's own is named that could take it over")
    if taker.owner == raw.owner:
        return Blocked("it is the keeper's own")
    if not moment.is_priced(taker):
        return Blocked("the keeper's own account has something without a price")
    taken = partial(_taken, moment, raw.state, taker.state, found.scenario, discount, state.terms)
    share = _largest(taken, lambda each: _is_allowed(moment, each))
    if not share:
        return Blocked("the keeper's own account has not margin enough for the smallest share")
    best = taken(share)
    assert best is not None
    cash = assets(state, purse)[state.parts.cash_token]
    limit = best.paid + best.off * (100 - KEPT_PERCENT) // 100
    call = encoded(LIQUIDATE, number(account), found.scenario, share * WAD // SHARES, own, limit)
    quote = Quote(0, 0, best.off // state.cash_unit, (call,))
    judged = len(moment.initial.table.scenarios.steps) * len(best.taker.legs)
    gas = LIQUIDATION_GAS + judged * JUDGING_GAS
    return [Offer(cash, cash, house, (0,), lambda _: quote, gas, ERRORS, taker="signer")]


def _taken(
    moment: ClearingMoment,
    account: ClearingState,
    taker: ClearingState,
    scenario: int,
    discount: int,
    terms: ClearingTerms,
    share: int,
) -> SliceTaken | None:
    """What so many millionths lead to; None where the taker has no room for a position."""
    try:
        return slice_taken(
            moment.maintenance, account, taker, scenario, share * WAD // SHARES, discount, terms
        )
    except MarginError:
        return None


def _is_allowed(moment: ClearingMoment, taken: SliceTaken | None) -> bool:
    """Whether it lifts the account no higher than the buffer, and leaves the taker above initial margin."""
    if taken is None or taken.value > taken.most:
        return False
    if taken.taker.cash < -moment.state.terms.cash_cap:
        return False
    return moment.initial.value(taken.taker).worst >= 0


def _largest(taken: Callable[[int], SliceTaken | None], allowed: Callable[[SliceTaken | None], bool]) -> int:
    """The largest number of millionths that is allowed, if all below it are; 0 where none is."""
    first = least(lambda share: not allowed(taken(share)), SHARES)
    return SHARES if first is None else first - 1


def cure(
    house: str, moment: ClearingMoment, raw: ClearingAccount, request: CureRequest, step: Step, asset: Asset
) -> Cure:
    """Cash or collateral, which anybody may add."""
    state, who = moment.state, number(request.account)
    token = next((i for i, each in enumerate(state.collaterals) if each.token == asset.token), None)
    is_cash = asset.token == state.parts.cash_token

    def then(amount: int) -> int:
        found = moment.health(_with(raw.state, state, amount, None if is_cash else token))
        return ENDLESS if found is None else max(found, 0)

    def call(amount: int) -> bytes:
        if is_cash:
            return encoded(DEPOSIT_CASH, who, amount)
        return encoded(DEPOSIT, who, token, amount)

    room = None
    if not is_cash and token is not None:
        room = max(state.collaterals[token].cap - state.collaterals[token].pledged, 0)
    if is_cash:
        check = _cash_grown(house, moment, raw, who)
    else:
        view = "0x" + encoded("collateralOf(uint256,uint256)", who, token).hex()
        check = grown(house, view, raw.state.collateral[token or 0])
    return Cure(
        step,
        asset,
        needed(then, request.target, MOST),
        then,
        house,
        call,
        ADDING_GAS,
        ERRORS,
        check,
        room=room,
        full="its cap is reached",
    )


def _cash_grown(
    house: str, moment: ClearingMoment, raw: ClearingAccount, who: int
) -> Callable[[int, int], Check]:
    """The account's cash has grown by the amount, but for a hundredth of what it owes, for interest."""
    view = "0x" + encoded("cashOf(uint256)", who).hex()
    cash = cash_now(raw.state, moment.maintenance.cash)

    def check(amount: int, _: int) -> Check:
        least_cash = cash + amount * moment.state.cash_unit - max(-cash, 0) // 100
        if least_cash < 0:
            return Check(house, view, 0, 2**256 + least_cash)
        return Check(house, view, 0, least_cash, 2**255)

    return check


def _with(state: ClearingState, house: ClearingHouseState, amount: int, token: int | None) -> ClearingState:
    """The state with so many units more of cash, or of a collateral."""
    if token is None:
        return replace(state, cash=state.cash + amount * house.cash_unit)
    amounts = list(state.collateral) + [0] * (token + 1 - len(state.collateral))
    amounts[token] += amount
    return replace(state, collateral=tuple(amounts))
