"""Liquidations and top-ups of a position, exact at the planned second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.margin.lending.least import least
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
from keeper.plan import Check, Plan, Spend
from keeper.protocols.amounts import units
from keeper.protocols.base import Asset, Deal, Impossible, Offer, Step
from keeper.protocols.morpho_blue.lens import PARAMS, Pair
from keeper.protocols.morpho_blue.positions import borrower_of

# Whole debts grow until the block that includes the call; this many seconds of interest are allowed for.
GRACE = 120
LIQUIDATION_GAS = 180_000
TOP_UP_GAS = 200_000
ERRORS = "morpho_blue_errors"
_COLLATERAL_WORD = 2
_MOST = 2**128 - 1


def _encoded(name: str, types: str, *arguments: object) -> bytes:
    selector = function_signature_to_4byte_selector(f"{name}({types})")
    return selector + encode(_split(types), arguments)


def _split(types: str) -> list[str]:
    """Types of a parameter list that begins with MarketParams."""
    return [PARAMS, *types.removeprefix(PARAMS + ",").split(",")]


def liquidate(pair: Pair, borrower: str, seized: int, shares: int, data: bytes = b"") -> bytes:
    return _encoded(
        "liquidate", f"{PARAMS},address,uint256,uint256,bytes", pair.params, borrower, seized, shares, data
    )


def offers(
    morpho: str, pair: Pair, borrower: str, position: Position, timestamp: int, pays: Asset, gets: Asset
) -> list[Offer] | Impossible:
    """The one liquidation there is, of any size up to all debt or all collateral."""
    if pair.price is None or not pair.usable:
        return Impossible("the market's oracle or rate model does not answer")
    now, later = pair.at(timestamp), pair.at(timestamp + GRACE)
    if is_healthy(position, now, pair.price, pair.terms):
        return Impossible("health is back above 1")
    if not pair.price or not position.collateral:
        return Impossible("there is no collateral of any worth to seize")
    top = borrowed_up(position, now)
    deal = partial(_deal, pair, borrower, position, now, later)
    return [Offer(pays, gets, morpho, (top,), deal, LIQUIDATION_GAS, ERRORS, callback=True)]


def _deal(
    pair: Pair, borrower: str, position: Position, now: MarketState, later: MarketState, budget: int
) -> Deal | None:
    """What `budget` units of the loan token repay and seize: by shares, or all collateral where it is less
    than what the shares would seize."""
    price, incentive = pair.price or 0, pair.terms.incentive_factor
    shares = position.borrow_shares
    if to_assets_up(shares, now.total_borrow_assets, now.total_borrow_shares) > budget:
        shares = to_shares_down(budget, now.total_borrow_assets, now.total_borrow_shares)
    seized = seized_down(shares, now, price, incentive)
    if shares <= 0 or seized <= 0:
        return None
    if seized < position.collateral:
        repaid, grown = (
            to_assets_up(shares, each.total_borrow_assets, each.total_borrow_shares) for each in (now, later)
        )
        return Deal(repaid, max(repaid, grown), seized, (liquidate(pair, borrower, 0, shares),))
    # The last collateral: what debt is left after it becomes the lenders' loss in the same call.
    everything = position.collateral
    costs = []
    for each in (now, later):
        owed = repaid_shares_up(everything, each, price, incentive)
        costs.append(to_assets_up(owed, each.total_borrow_assets, each.total_borrow_shares))
        if owed > position.borrow_shares:
            return None
    if costs[0] > budget:
        return None
    return Deal(costs[0], max(costs), everything, (liquidate(pair, borrower, everything, 0),))


def top_up(
    market: str,
    morpho: str,
    pair: Pair,
    account: str,
    position: Position,
    timestamp: int,
    funds: Mapping[str, int],
    steps: Sequence[Step],
    target: int,
    budget_base: int,
    loan: Asset,
    collateral: Asset,
) -> Plan | Impossible:
    """The first step that reaches `target` alone; else the first that helps; else why none does."""
    if not pair.usable or pair.price is None:
        return Impossible("the market's oracle or rate model does not answer")
    now = pair.at(timestamp)
    before = _health(position, now, pair)
    partial_plan: Plan | None = None
    reasons = []
    for step in steps or (Step("repay", loan.token), Step("supply", collateral.token)):
        asset = loan if step.action == "repay" else collateral
        if step.asset.lower() not in (asset.token, asset.symbol.lower()):
            reasons.append(f"{step.asset} is not what this market's {step.action} takes")
            continue
        most = borrowed_up(position, now) if step.action == "repay" else _MOST
        needed = least(partial(_reaches, target, step, position, now, pair), most) or most
        affordable = budget_base * asset.unit // asset.price if asset.price else 0
        amount = min(needed, funds.get(asset.token, 0), affordable)
        if amount <= 0:
            why = "the day's cap is used up" if affordable <= 0 else f"no {asset.symbol} to pay with"
            reasons.append(f"{step.action} {asset.symbol}: {why}")
            continue
        reached, after = _after(step, position, now, pair, amount)
        if reached <= before:
            reasons.append(f"{step.action} {asset.symbol}: the amount at hand changes nothing")
            continue
        plan = _plan(market, morpho, pair, account, step, asset, amount, reached, position, after)
        if reached >= target:
            return plan
        partial_plan = partial_plan or plan
    return partial_plan or Impossible("; ".join(reasons))


def _health(position: Position, now: MarketState, pair: Pair) -> int:
    return health_factor_down(position, now, pair.price or 0, pair.terms)


def _reaches(target: int, step: Step, position: Position, now: MarketState, pair: Pair, amount: int) -> bool:
    return _after(step, position, now, pair, amount)[0] >= target


def _after(step: Step, position: Position, now: MarketState, pair: Pair, amount: int) -> tuple[int, Position]:
    """Health and position after the step; repaying the whole debt is by shares."""
    if step.action == "supply":
        after = replace(position, collateral=position.collateral + amount)
        return _health(after, now, pair), after
    if amount >= borrowed_up(position, now):
        shares = position.borrow_shares
    else:
        shares = to_shares_down(amount, now.total_borrow_assets, now.total_borrow_shares)
    after = replace(position, borrow_shares=position.borrow_shares - shares)
    totals = replace(
        now,
        total_borrow_assets=max(now.total_borrow_assets - amount, 0),
        total_borrow_shares=now.total_borrow_shares - shares,
    )
    return _health(after, totals, pair), after


def _plan(
    market: str,
    morpho: str,
    pair: Pair,
    account: str,
    step: Step,
    asset: Asset,
    amount: int,
    reached: int,
    before: Position,
    after: Position,
) -> Plan:
    borrower = borrower_of(account)
    check: Check | None = None
    if step.action == "supply":
        data = _encoded(
            "supplyCollateral", f"{PARAMS},uint256,address,bytes", pair.params, amount, borrower, b""
        )
        position = _encoded_position(pair, borrower)
        check = Check(morpho, "0x" + position.hex(), _COLLATERAL_WORD, after.collateral)
    else:
        # A whole debt is repaid by shares: by assets a unit of interest would stay, or revert.
        whole = after.borrow_shares == 0
        sizes = (0, before.borrow_shares) if whole else (amount, 0)
        types = f"{PARAMS},uint256,uint256,address,bytes"
        data = _encoded("repay", types, pair.params, *sizes, borrower, b"")
    decimals = len(str(asset.unit)) - 1
    return Plan(
        market=market,
        account=account,
        kind="top_up",
        action=step.action,
        target=morpho,
        data="0x" + data.hex(),
        spend=Spend(asset.token, morpho, amount),
        spend_base=-(-amount * asset.price // asset.unit),
        gain_base=0,
        gas=TOP_UP_GAS,
        summary={step.action: f"{units(amount, decimals)} {asset.symbol}", "health_after": str(reached)},
        postcondition=check,
        errors=ERRORS,
    )


def _encoded_position(pair: Pair, borrower: str) -> bytes:
    types = ["bytes32", "address"]
    selector = function_signature_to_4byte_selector("position(bytes32,address)")
    return selector + encode(types, [bytes.fromhex(pair.id[2:]), borrower])
