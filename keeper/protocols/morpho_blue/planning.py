"""Liquidations and top-ups of a position, exact at the planned second."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.margin.lending.morpho.market import MarketState
from keeper.margin.lending.morpho.position import (
    Position,
    borrowed_up,
    health_factor_down,
    is_healthy,
    repaid_shares_up,
    seized_down,
)
from keeper.margin.lending.morpho.shares import to_assets_up, to_shares_down
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked, Check
from keeper.protocols.cures import MOST, Cure, grown, needed
from keeper.protocols.morpho_blue.lens import PARAMS, Pair
from keeper.protocols.morpho_blue.positions import borrower_of

LIQUIDATE = f"liquidate({PARAMS},address,uint256,uint256,bytes)"
SUPPLY = f"supplyCollateral({PARAMS},uint256,address,bytes)"
REPAY = f"repay({PARAMS},uint256,uint256,address,bytes)"
# Whole debts grow until the block that includes the call; this many seconds of interest are allowed for.
GRACE = 120
# Measured (scripts/bench/liquidations_all_markets.py): 112,000 among others in one transaction, with the
# exchange that the batch counts by itself; the first one pays for all that is touched for the first time.
LIQUIDATION_GAS = 30_000
FIRST_GAS = 140_000
TOP_UP_GAS = 200_000
ERRORS = "morpho_blue_errors"
_BORROW_WORD, _COLLATERAL_WORD = 1, 2


def liquidate(pair: Pair, borrower: str, seized: int, shares: int) -> bytes:
    return encoded(LIQUIDATE, pair.params, borrower, seized, shares, b"")


def offers(
    morpho: str, pair: Pair, borrower: str, position: Position, timestamp: int, pays: Asset, gets: Asset
) -> list[Offer] | Blocked:
    """The one liquidation that exists, of any size up to all debt or all collateral."""
    if pair.price is None or not pair.usable:
        return Blocked("the market's oracle or rate model does not answer")
    now, later = pair.at(timestamp), pair.at(timestamp + GRACE)
    if is_healthy(position, now, pair.price, pair.terms):
        return Blocked("health is back above 1")
    if not pair.price or not position.collateral:
        return Blocked("there is no collateral of any worth to seize")
    top = borrowed_up(position, now)
    deal = partial(_deal, pair, borrower, position, now, later)
    return [Offer(pays, gets, morpho, (top,), deal, LIQUIDATION_GAS, ERRORS, FIRST_GAS, callback=True)]


def _deal(
    pair: Pair, borrower: str, position: Position, now: MarketState, later: MarketState, budget: int
) -> Quote | None:
    """What `budget` units of the loan token repay and seize: all collateral where the shares they repay would
    seize as much, else by shares."""
    price, incentive = pair.price or 0, pair.terms.incentive_factor
    shares = position.borrow_shares
    if to_assets_up(shares, now.total_borrow_assets, now.total_borrow_shares) > budget:
        shares = to_shares_down(budget, now.total_borrow_assets, now.total_borrow_shares)
    if seized_down(shares, now, price, incentive) >= position.collateral:
        whole = _everything(pair, borrower, position, now, later)
        if whole is not None and whole.repaid <= budget:
            return whole
    # Until it is included the debt grows, and with it what shares seize: never beyond what is there.
    while shares > 0 and (grown := seized_down(shares, later, price, incentive)) > position.collateral:
        shares = min(shares * position.collateral // grown, shares - 1)
    seized = seized_down(shares, now, price, incentive)
    if shares <= 0 or seized <= 0:
        return None
    repaid, most = (
        to_assets_up(shares, each.total_borrow_assets, each.total_borrow_shares) for each in (now, later)
    )
    return Quote(repaid, max(repaid, most), seized, (liquidate(pair, borrower, 0, shares),))


def _everything(
    pair: Pair, borrower: str, position: Position, now: MarketState, later: MarketState
) -> Quote | None:
    """The last collateral: what debt is left after it becomes the lenders' loss in the same call. None where
    it costs more than is owed."""
    costs = []
    for each in (now, later):
        owed = repaid_shares_up(position.collateral, each, pair.price or 0, pair.terms.incentive_factor)
        if owed > position.borrow_shares:
            return None
        costs.append(to_assets_up(owed, each.total_borrow_assets, each.total_borrow_shares))
    call = liquidate(pair, borrower, position.collateral, 0)
    return Quote(costs[0], max(costs), position.collateral, (call,))


def cure(morpho: str, pair: Pair, position: Position, request: CureRequest, step: Step, asset: Asset) -> Cure:
    """A call on the singleton, for the account's borrower."""
    now, later = pair.at(request.timestamp), pair.at(request.timestamp + GRACE)
    borrower, owed = borrower_of(request.account), borrowed_up(position, now)
    view = "0x" + encoded("position(bytes32,address)", bytes.fromhex(pair.id[2:]), borrower).hex()

    def health(amount: int) -> int:
        return _after(step, position, now, pair, amount)

    def supply(amount: int) -> bytes:
        return encoded(SUPPLY, pair.params, amount, borrower, b"")

    def repay(amount: int) -> bytes:
        # A whole debt is repaid by shares: by assets a unit of interest would stay, or revert.
        sizes = (amount, 0) if amount < owed else (0, position.borrow_shares)
        return encoded(REPAY, pair.params, *sizes, borrower, b"")

    def left(amount: int, _: int) -> Check:
        # The later it is included, the fewer shares the same amount repays.
        repaid = to_shares_down(amount, later.total_borrow_assets, later.total_borrow_shares)
        most = position.borrow_shares - repaid if amount < owed else 0
        return Check(morpho, view, _BORROW_WORD, 0, at_most=max(most, 0))

    if step.action == "add_collateral":
        most, data = MOST, supply
        check = grown(morpho, view, position.collateral, _COLLATERAL_WORD)
    else:
        most, data, check = owed, repay, left
    size = needed(health, request.target, most)
    return Cure(step, asset, size, health, morpho, data, TOP_UP_GAS, ERRORS, check)


def _health(position: Position, now: MarketState, pair: Pair) -> int:
    return health_factor_down(position, now, pair.price or 0, pair.terms)


def _after(step: Step, position: Position, now: MarketState, pair: Pair, amount: int) -> int:
    """Health after the step; repaying the whole debt is by shares."""
    if step.action == "add_collateral":
        return _health(replace(position, collateral=position.collateral + amount), now, pair)
    if amount >= borrowed_up(position, now):
        shares = position.borrow_shares
    else:
        shares = to_shares_down(amount, now.total_borrow_assets, now.total_borrow_shares)
    totals = replace(
        now,
        total_borrow_assets=max(now.total_borrow_assets - amount, 0),
        total_borrow_shares=now.total_borrow_shares - shares,
    )
    return _health(replace(position, borrow_shares=position.borrow_shares - shares), totals, pair)
