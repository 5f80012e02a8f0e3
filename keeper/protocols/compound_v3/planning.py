"""Absorption with the purchase of what was absorbed, and top-ups, exact at the planned second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.errors import MarginError
from keeper.margin.lending.comet.account import (
    Account,
    Holding,
    absorb,
    for_sale,
    is_liquidatable,
    quote_collateral_down,
)
from keeper.margin.lending.comet.rates import Totals, present_value, principal_value
from keeper.margin.lending.least import least
from keeper.plan import Check, Plan, Spend
from keeper.protocols.amounts import units
from keeper.protocols.base import Asset, AssetLine, Deal, Impossible, Offer, Step
from keeper.protocols.compound_v3.lens import Collateral, Market

if TYPE_CHECKING:
    from keeper.protocols.compound_v3.market import CometMarket

LIQUIDATION_GAS = 350_000
TOP_UP_GAS = 200_000
ERRORS = "comet_errors"
_HIGHEST_FACTOR = 1_000
_MOST = 2**127
_ENDLESS = 2**255


@dataclass(frozen=True, slots=True)
class Raw:
    """An account as stored: signed principal, and (place, balance) of each collateral held."""

    principal: int
    held: tuple[tuple[int, int], ...] = ()


def _encoded(signature: str, *arguments: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return function_signature_to_4byte_selector(signature) + encode(types, arguments)


def _account(state: Market, raw: Raw) -> Account:
    held = [
        Holding(balance, state.collaterals[place].price or 0, state.collaterals[place].terms)
        for place, balance in raw.held
    ]
    return Account(raw.principal, held)


def offers(
    comet: str,
    state: Market,
    account: str,
    raw: Raw,
    timestamp: int,
    assets: Mapping[str, Asset],
    recipient: str,
) -> list[Offer] | Impossible:
    """To absorb the account and buy one of its collaterals, for each of them; the rest stays for sale."""
    if state.absorb_paused or state.buy_paused:
        return Impossible("the market is paused: " + ("absorb" if state.absorb_paused else "buy"))
    base = assets.get(state.base.lower())
    if base is None or any(state.collaterals[place].price is None for place, _ in raw.held):
        return Impossible("a price that the market needs is missing")
    totals = state.at(timestamp)
    whole = _account(state, raw)
    if not is_liquidatable(whole, totals, state.terms, base.price):
        return Impossible("health is back above 1")
    after = absorb(whole, totals, state.terms, base.price)
    if not for_sale(state.cash, after.totals, state.terms):
        return Impossible(
            "the protocol's reserves are at their target: it sells nothing, so absorbing earns nothing"
        )
    found = []
    for place, balance in raw.held:
        each = state.collaterals[place]
        if not each.price:
            continue
        top = _cost_of_all(each, balance + each.reserves, state, base.price)
        deal = partial(_deal, comet, account, state, each, balance, base.price, recipient)
        found.append(Offer(base, assets[each.asset.lower()], comet, (top,), deal, LIQUIDATION_GAS, ERRORS))
    return found or Impossible("there is no collateral of any worth to buy")


def _quote(each: Collateral, state: Market, base_price: int, amount: int) -> int:
    try:
        return quote_collateral_down(amount, each.terms, each.price or 0, state.terms, base_price)
    except MarginError:
        return 0


def _cost_of_all(each: Collateral, available: int, state: Market, base_price: int) -> int:
    """The most base that buys no more than is there."""
    if _quote(each, state, base_price, 1) > available:
        return 0
    low, high = 0, 1
    while _quote(each, state, base_price, high) <= available and high < _MOST:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _quote(each, state, base_price, middle) <= available:
            low = middle
        else:
            high = middle
    return low


def _deal(
    comet: str,
    account: str,
    state: Market,
    each: Collateral,
    absorbed: int,
    base_price: int,
    recipient: str,
    budget: int,
) -> Deal | None:
    """Absorb, then buy for `budget`."""
    got = _quote(each, state, base_price, budget)
    if budget <= 0 or got <= 0 or got > absorbed + each.reserves:
        return None
    calls = (
        _encoded("absorb(address,address[])", recipient, [account]),
        _encoded("buyCollateral(address,uint256,uint256,address)", each.asset, got, budget, recipient),
    )
    return Deal(budget, budget, got, calls)


def top_up(
    adapter: CometMarket,
    state: Market,
    account: str,
    raw: Raw,
    timestamp: int,
    assets: Mapping[str, Asset],
    funds: Mapping[str, int],
    steps: Sequence[Step],
    target: int,
    budget_base: int,
) -> Plan | Impossible:
    """The first step that reaches `target` alone; else the first that helps; else why none does."""
    if state.supply_paused:
        return Impossible("supplying is paused")
    totals = state.at(timestamp)
    [before] = adapter.value(state, {account: raw}, timestamp)
    chosen: Plan | None = None
    reasons = []
    for step in steps or _usual(state, raw):
        place, asset = _find(step, state, assets)
        if asset is None or (place is None) != (step.action == "repay"):
            reasons.append(f"{step.action} {step.asset} is nothing this market takes")
            continue

        health = partial(_health_after, adapter, state, account, raw, timestamp, totals, place)
        most = -present_value(raw.principal, totals) if place is None else state.collaterals[place].cap
        needed = least(partial(_reaches, health, target), most) or most
        affordable = budget_base * asset.unit // asset.price
        room = most if place is None else state.collaterals[place].cap - state.collaterals[place].supplied
        amount = min(needed, funds.get(asset.token, 0), affordable, max(room, 0))
        if amount <= 0:
            why = (
                "the day's cap is used up"
                if affordable <= 0
                else "the supply cap is reached"
                if room <= 0
                else f"no {asset.symbol} to pay with"
            )
            reasons.append(f"{step.action} {asset.symbol}: {why}")
            continue
        reached = health(amount)
        if before.health is not None and reached <= before.health:
            reasons.append(f"{step.action} {asset.symbol}: the amount at hand changes nothing")
            continue
        plan = _plan(adapter, account, step, asset, place, raw, amount, reached)
        if reached >= target:
            return plan
        chosen = chosen or plan
    return chosen or Impossible("; ".join(reasons) or "the account has nothing to work with")


def _health_after(
    adapter: CometMarket,
    state: Market,
    account: str,
    raw: Raw,
    timestamp: int,
    totals: Totals,
    place: int | None,
    amount: int,
) -> int:
    """Health after `amount` was supplied; endless without debt."""
    [valued] = adapter.value(state, {account: after(raw, state, totals, place, amount)}, timestamp)
    return _ENDLESS if valued.health is None else valued.health


def _reaches(health: Callable[[int], int], target: int, amount: int) -> bool:
    return health(amount) >= target


def _usual(state: Market, raw: Raw) -> list[Step]:
    """Repay, then supply what is held."""
    held = [Step("supply", state.collaterals[place].asset) for place, _ in raw.held]
    return [Step("repay", state.base), *held]


def _find(step: Step, state: Market, assets: Mapping[str, Asset]) -> tuple[int | None, Asset | None]:
    """The place of a collateral (None for the base token) and the asset a step names."""
    wanted = step.asset.lower()
    for place, each in enumerate(state.collaterals):
        asset = assets.get(each.asset.lower())
        if asset is not None and wanted in (asset.token, asset.symbol.lower()):
            return place, asset
    base = assets.get(state.base.lower())
    return None, base if base and wanted in (base.token, base.symbol.lower()) else None


def after(raw: Raw, state: Market, totals: Totals, place: int | None, amount: int) -> Raw:
    """The account after `amount` was supplied: base for None, else the collateral at `place`."""
    if place is None:
        balance = present_value(raw.principal, totals) + amount
        return replace(raw, principal=principal_value(balance, totals))
    held = dict(raw.held)
    held[place] = held.get(place, 0) + amount
    return replace(raw, held=tuple(sorted(held.items())))


def _plan(
    adapter: CometMarket,
    account: str,
    step: Step,
    asset: Asset,
    place: int | None,
    raw: Raw,
    amount: int,
    reached: int,
) -> Plan:
    data = _encoded("supplyTo(address,address,uint256)", account, asset.token, amount)
    check: Check | None = None
    if place is not None:
        call = _encoded("collateralBalanceOf(address,address)", account, asset.token)
        check = Check(adapter.contract, "0x" + call.hex(), 0, dict(raw.held).get(place, 0) + amount)
    decimals = len(str(asset.unit)) - 1
    return Plan(
        market=adapter.name,
        account=account,
        kind="top_up",
        action=step.action,
        target=adapter.contract,
        data="0x" + data.hex(),
        spend=Spend(asset.token, adapter.contract, amount),
        spend_base=-(-amount * asset.price // asset.unit),
        gain_base=0,
        gas=TOP_UP_GAS,
        summary={step.action: f"{units(amount, decimals)} {asset.symbol}", "health_after": str(reached)},
        postcondition=check,
        errors=ERRORS,
    )


def line(state: Market, raw: Raw, place: int, totals: Totals, symbols: Mapping[str, str]) -> AssetLine:
    """One collateral of an account, for people."""
    each, balance = state.collaterals[place], dict(raw.held)[place]
    asset, price = each.asset.lower(), each.price or 0
    return AssetLine(
        asset,
        symbols.get(asset, asset),
        len(str(each.terms.scale)) - 1,
        price,
        balance,
        balance * price // each.terms.scale,
        each.terms.liquidate_cf // 10**14,
        0,
        0,
        _breaks_at(state, raw, place, totals),
    )


def _breaks_at(state: Market, raw: Raw, place: int, totals: Totals) -> int | None:
    """The highest price of one collateral, others unchanged, at which the account can be absorbed."""
    if raw.principal >= 0 or state.base_price is None:
        return None

    def breaks(price: int) -> bool:
        changed = list(state.collaterals)
        changed[place] = replace(changed[place], price=price)
        moved = replace(state, collaterals=tuple(changed))
        return is_liquidatable(_account(moved, raw), totals, state.terms, state.base_price or 0)

    if not breaks(0):
        return None
    top = (state.collaterals[place].price or 1) * _HIGHEST_FACTOR
    low, high = 0, top
    while high - low > 1:
        middle = (low + high) // 2
        if breaks(middle):
            low = middle
        else:
            high = middle
    return low
