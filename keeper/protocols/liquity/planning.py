"""Liquidations, which cost nothing and earn the gas compensation, and top-ups by the trove's owner."""

from __future__ import annotations

from keeper.chain.calldata import ZERO_ADDRESS, encoded
from keeper.config.policy import Step
from keeper.margin.lending.liquity.trove import (
    Trove,
    coll_gas_compensation_down,
    health_down,
    in_recovery_mode,
)
from keeper.margin.rounding import WAD
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked
from keeper.protocols.cures import MOST, Cure, grown, needed, paid
from keeper.protocols.liquity.lens import System

# Measured (scripts/bench/liquidations_all_markets.py), with room.
OFFSET_GAS, REDISTRIBUTION_GAS, FIRST_GAS, TOP_UP_GAS = 190_000, 290_000, 400_000, 500_000
ERRORS = "liquity_errors"
ADD = "addColl(address,address)"
REPAY = "repayMUSD(uint256,address,address)"
LIQUIDATE = "batchLiquidateTroves(address[])"


def offers(manager: str, state: System, account: str, trove: Trove, token: Asset) -> list[Offer] | Blocked:
    """The offer to liquidate the trove, which takes nothing and brings the gas compensation."""
    if state.price is None:
        return Blocked("the price feed is stale: nothing can be liquidated")
    if state.troves <= 1:
        return Blocked("it is the last trove, which the system never liquidates")
    if (health_down(trove, state.price, state.terms) or WAD) >= WAD:
        return Blocked("health is back above 1")
    gas = OFFSET_GAS if trove.debt <= state.stability_pool else REDISTRIBUTION_GAS
    deal = Quote(0, 0, state.terms.gas_reserve, (encoded(LIQUIDATE, [account]),))
    coins = coll_gas_compensation_down(trove.coll, state.terms) * state.price // WAD
    return [Offer(token, token, manager, (0,), lambda _: deal, gas, ERRORS, FIRST_GAS, coins)]


def cure(manager: str, state: System, trove: Trove, request: CureRequest, step: Step, asset: Asset) -> Cure:
    """A call on BorrowerOperations, which takes coins as value and burns the debt token without allowance."""
    hints = request.purse.hints.get(request.account, (ZERO_ADDRESS, ZERO_ADDRESS))
    price, terms, supply = state.price or 0, state.terms, step.action == "add_collateral"
    view = "0x" + encoded(f"getTrove{'Coll' if supply else 'Debt'}(address)", request.account).hex()

    def after(amount: int) -> int:
        more, less = (amount, 0) if supply else (0, amount)
        return health_down(Trove(trove.coll + more, trove.debt - less), price, terms) or 0

    return Cure(
        step,
        asset,
        needed(after, request.target, MOST if supply else trove.debt - 1),
        after,
        state.operations,
        lambda amount: encoded(ADD, *hints) if supply else encoded(REPAY, amount, *hints),
        TOP_UP_GAS,
        ERRORS,
        check=grown(manager, view, trove.coll) if supply else paid(manager, view, trove.debt),
        room=None if supply else max(trove.debt - terms.gas_reserve - state.min_net_debt, 0),
        full="the system's least debt must stay",
        floor=0 if in_recovery_mode(state.whole, price, terms) else WAD,
        burned=not supply,
    )
