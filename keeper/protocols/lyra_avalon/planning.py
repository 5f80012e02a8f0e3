"""Liquidations, which take nothing and pay a share of the penalty, and collateral that anybody may add."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.margin.rounding import WAD, wad_div_down, wad_mul_down
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.protocols.cures import ENDLESS, MOST, Cure, grown, needed
from keeper.protocols.lyra_avalon.lens import AvalonState, OptionPosition
from keeper.protocols.lyra_avalon.valuing import valued

ERRORS = "lyra_avalon_errors"
LIQUIDATE = "liquidatePosition(uint256,address)"
ADD = "addCollateral(uint256,uint256)"
# Measured: 780,000 to 960,000 and 102,000, with room.
LIQUIDATION_GAS, ADDING_GAS = 1_100_000, 200_000


def number(account: str) -> int:
    """A position's number, out of its key."""
    return int(account, 16)


def offers(
    market: str,
    state: AvalonState,
    account: str,
    raw: OptionPosition,
    timestamp: int,
    gets: Asset,
    purse: Purse,
) -> list[Offer] | Blocked:
    """To liquidate the position whole. What it pays hangs on averaged volatility, so that only the share of
    the least penalty is counted on: a rehearsal finds what comes besides."""
    if state.spot is None or state.paused:
        return Blocked("the market is paused, or has no spot price: nothing can be liquidated")
    board = state.boards.get(raw.board)
    if board is None or timestamp >= raw.expiry:
        return Blocked("its board has expired: it is settled, not liquidated")
    if board.frozen:
        return Blocked("its board is frozen: nothing can be liquidated")
    if not valued(state, account, raw, timestamp).liquidatable:
        return Blocked("it has collateral enough again")
    in_token = gets.token == state.base.lower()
    reward = least_reward(state, raw.collateral, state.spot if in_token else WAD)
    found = []
    for taker, recipient in _takers(purse):
        deal = Quote(0, 0, reward, (encoded(LIQUIDATE, number(account), recipient),))
        whole = partial(_whole, deal)
        found.append(Offer(gets, gets, market, (0,), whole, LIQUIDATION_GAS, ERRORS, taker=taker))
    return found or Blocked("nobody is named who would get what it pays")


def least_reward(state: AvalonState, collateral: int, price: int) -> int:
    """What liquidating pays at least, in units of the collateral at its price (18 decimals): a share of the
    least penalty, or of all collateral where that is less. Source: OptionToken.getLiquidationFees."""
    penalty = min(wad_div_down(state.least_penalty, price), collateral)
    return wad_mul_down(penalty, state.fee_share)


def _whole(deal: Quote, _: int) -> Quote:
    return deal


def _takers(purse: Purse) -> list[tuple[Literal["contract", "signer"], str]]:
    """Who can take it, each for itself."""
    found: list[tuple[Literal["contract", "signer"], str]] = []
    found += [("contract", purse.recipient)] if purse.recipient else []
    return found + ([("signer", purse.payer)] if purse.payer else [])


def cure(
    market: str, state: AvalonState, raw: OptionPosition, request: CureRequest, step: Step, asset: Asset
) -> Cure:
    """Collateral of the position's own kind."""

    def then(amount: int) -> int:
        more = replace(raw, collateral=raw.collateral + amount)
        found = valued(state, request.account, more, request.timestamp).health
        return ENDLESS if found is None else found

    who = number(request.account)
    view = "0x" + encoded("getOptionPosition(uint256)", who).hex()
    return Cure(
        step,
        asset,
        needed(then, request.target, MOST),
        then,
        market,
        lambda amount: encoded(ADD, who, amount),
        ADDING_GAS,
        ERRORS,
        grown(state.token, view, raw.collateral, word=4),
    )
