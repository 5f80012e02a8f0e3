"""An account's worth, absorption with the purchase of what was absorbed, and top-ups, exact at the planned
second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.errors import MarginError
from keeper.margin.lending.comet.account import (
    Account,
    Holding,
    absorb,
    base_value,
    for_sale,
    is_liquidatable,
    liquidity,
    quote_collateral_down,
)
from keeper.margin.lending.comet.rates import Totals, present_value, principal_value
from keeper.model.bisection import edge
from keeper.model.cure import CureRequest, action_words
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked, Check
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Valuation, ratio_down
from keeper.protocols.compound_v3.lens import Collateral, CometState
from keeper.protocols.compound_v3.records import Raw
from keeper.protocols.cures import ENDLESS, MOST, Cure, grown, needed

# The real Comet takes 145,000 and 38,000 a collateral where feeds are cheap; feeds behind proxies and
# adapters take more. Rehearsal measures what is really taken; this decides whether it pays, and what shares a
# block.
LIQUIDATION_GAS = 100_000
COLLATERAL_GAS = 50_000
FIRST_GAS = 100_000
TOP_UP_GAS = 200_000
# Interest grows a debt until a top-up is included; this many seconds are allowed for.
GRACE = 120
PURCHASE_GAS = 150_000
BUY = "buyCollateral(address,uint256,uint256,address)"
ERRORS = "comet_errors"
_HIGHEST_FACTOR = 1_000


def account_of(state: CometState, raw: Raw) -> Account:
    """The account at present prices; 0 where a feed fails."""
    held = [
        Holding(balance, state.collaterals[place].price or 0, state.collaterals[place].terms)
        for place, balance in raw.held
    ]
    return Account(raw.principal, held)


def valued(state: CometState, account: str, raw: Raw, totals: Totals) -> Valuation:
    has = account_of(state, raw).holdings
    owed = base_value(present_value(min(raw.principal, 0), totals), state.base_price or 0, state.terms)
    weighed = liquidity(Account(0, has), totals, state.terms, lambda each: each.liquidate_cf)
    return valuation(account, sum(each.value for each in has), -owed, weighed, weighed < -owed)


def valuation(account: str, collateral: int, debt: int, weighed: int, liquidatable: bool) -> Valuation:
    """An account's valuation; `weighed` is the collateral at its liquidation factors."""
    return Valuation(
        account,
        weighed,
        debt,
        collateral - debt,
        liquidatable,
        None,
        ratio_down(weighed, debt),
        {"collateral": collateral, "debt": debt},
    )


def offers(
    comet: str,
    state: CometState,
    account: str,
    raw: Raw,
    timestamp: int,
    assets: Mapping[str, Asset],
    purse: Purse,
) -> list[Offer] | Blocked:
    """Offers to absorb the account and buy one of its collaterals, one per collateral; the rest stays for
    sale. Our contract does both in one transaction; the signer, who makes one call, buys in a later block."""
    if state.absorb_paused or state.buy_paused:
        return Blocked("the market is paused: " + ("absorb" if state.absorb_paused else "buy"))
    base = assets.get(state.base.lower())
    if base is None or any(state.collaterals[place].price is None for place, _ in raw.held):
        return Blocked("a price that the market needs is missing")
    totals = state.at(timestamp)
    whole = account_of(state, raw)
    if not is_liquidatable(whole, totals, state.terms, base.price):
        return Blocked("health is back above 1")
    after = absorb(whole, totals, state.terms, base.price)
    if not for_sale(state.cash, after.totals, state.terms):
        return Blocked(
            "the protocol's reserves are at their target: it sells nothing, so absorbing earns nothing"
        )
    gas = LIQUIDATION_GAS + COLLATERAL_GAS * len(raw.held)
    found = []
    for place, balance in raw.held:
        each = state.collaterals[place]
        if not each.price:
            continue
        # Only what is absorbed here: another plan of the same block may count on the reserves.
        top = _cost_of_all(each, _less(balance), state, base.price)
        for taker, recipient in _takers(purse):
            absorbing = encoded("absorb(address,address[])", recipient, [account])
            alone = taker == "signer"
            found.append(
                Offer(
                    base,
                    assets[each.asset.lower()],
                    comet,
                    (top,),
                    partial(_deal, state, each, balance, base.price, recipient, absorbing, not alone),
                    gas,
                    ERRORS,
                    FIRST_GAS,
                    taker=taker,
                    later="absorb" if alone else "",
                    gas_of_signer=gas + FIRST_GAS + PURCHASE_GAS,
                )
            )
    return found or Blocked("there is no collateral of any worth to buy")


def on_sale(state: CometState) -> dict[str, int]:
    """Collaterals that the market itself has and sells: absorbed, by anybody, and not bought yet."""
    if state.buy_paused or not for_sale(state.cash, state.totals, state.terms):
        return {}
    return {each.asset.lower(): each.reserves for each in state.collaterals if each.reserves and each.price}


def sales(comet: str, state: CometState, assets: Mapping[str, Asset], purse: Purse) -> list[Offer]:
    """Offers to buy each collateral that is on sale, for our contract and for the signer."""
    selling, base = on_sale(state), assets.get(state.base.lower())
    if base is None:
        return []
    found = []
    for each in state.collaterals:
        available = selling.get(each.asset.lower(), 0)
        top = _cost_of_all(each, _less(available), state, base.price) if available else 0
        if top:
            for taker, recipient in _takers(purse):
                deal = partial(_deal, state, each, available, base.price, recipient, b"", True)
                asset = assets[each.asset.lower()]
                found.append(Offer(base, asset, comet, (top,), deal, PURCHASE_GAS, ERRORS, taker=taker))
    return found


def _takers(purse: Purse) -> list[tuple[Literal["contract", "signer"], str]]:
    """The possible buyers, each for itself."""
    found: list[tuple[Literal["contract", "signer"], str]] = []
    found += [("contract", purse.recipient)] if purse.recipient else []
    return found + ([("signer", purse.payer)] if purse.payer else [])


def _less(amount: int) -> int:
    """The amount to buy, less a hundredth. The purchase is priced at inclusion: if the price falls until
    then, the same base buys more than is there; if it rises, less than was asked for. Our contract's own
    minimum profit guards what comes of it."""
    return amount - amount // 100


def _quote(each: Collateral, state: CometState, base_price: int, amount: int) -> int:
    try:
        return quote_collateral_down(amount, each.terms, each.price or 0, state.terms, base_price)
    except MarginError:
        return 0


def _cost_of_all(each: Collateral, available: int, state: CometState, base_price: int) -> int:
    """The most base that buys no more than is there."""

    def is_there(base: int) -> bool:
        return _quote(each, state, base_price, base) <= available

    low, high = 0, 1
    while is_there(high) and high < MOST:
        low, high = high, high * 2
    return edge(is_there, low, high)


def _deal(
    state: CometState,
    each: Collateral,
    available: int,
    base_price: int,
    recipient: str,
    absorbing: bytes,
    buying: bool,
    budget: int,
) -> Quote | None:
    """Absorb (empty: already done), then buy for `budget`: in the same transaction, or later."""
    got = _quote(each, state, base_price, budget)
    if budget <= 0 or got <= 0 or got > available:
        return None
    buy = encoded(BUY, each.asset, _less(got), budget, recipient)
    calls = (absorbing, buy if buying else b"")
    return Quote(budget, budget, got, tuple(filter(None, calls)))


def cure(
    comet: str, state: CometState, raw: Raw, request: CureRequest, step: Step, asset: Asset
) -> Cure | Blocked:
    """A supply for the account, of base (which repays) or of a collateral."""
    totals = state.at(request.timestamp)
    place = None if step.action == "repay" else _place(state, asset.token)
    if state.base_supply_paused if place is None else state.collaterals[place].supply_paused:
        return Blocked(f"{action_words(step.action)} {asset.symbol}: supplying it is paused")

    def then(amount: int) -> int:
        found = valued(state, request.account, after(raw, state, totals, place, amount), totals).health
        return ENDLESS if found is None else found

    def data(amount: int) -> bytes:
        return encoded("supplyTo(address,address,uint256)", request.account, asset.token, amount)

    owes = "0x" + encoded("borrowBalanceOf(address)", request.account).hex()
    later = state.at(request.timestamp + GRACE)

    def owed(amount: int, _: int) -> Check:
        # Interest to the latest moment of inclusion, and a unit of rounding.
        return Check(comet, owes, 0, 0, at_most=max(-present_value(raw.principal, later) - amount, 0) + 1)

    found = Cure(step, asset, 0, then, comet, data, TOP_UP_GAS, ERRORS, owed)
    if place is None:
        return replace(found, needed=needed(then, request.target, -present_value(raw.principal, totals)))
    each, held = state.collaterals[place], dict(raw.held).get(place, 0)
    call = "0x" + encoded("collateralBalanceOf(address,address)", request.account, asset.token).hex()
    return replace(
        found,
        needed=needed(then, request.target, MOST),
        check=grown(comet, call, held),
        room=max(each.cap - each.supplied, 0),
        full="the supply cap is reached",
    )


def _place(state: CometState, token: str) -> int:
    return [each.asset.lower() for each in state.collaterals].index(token)


def after(raw: Raw, state: CometState, totals: Totals, place: int | None, amount: int) -> Raw:
    """The account after `amount` was supplied: base for None, else the collateral at `place`."""
    if place is None:
        balance = present_value(raw.principal, totals) + amount
        return replace(raw, principal=principal_value(balance, totals))
    held = dict(raw.held)
    held[place] = held.get(place, 0) + amount
    return replace(raw, held=tuple(sorted(held.items())))


def line(state: CometState, raw: Raw, place: int, totals: Totals, symbols: Mapping[str, str]) -> AssetLine:
    """One collateral of an account, for people."""
    each, balance = state.collaterals[place], dict(raw.held)[place]
    asset, price = each.asset.lower(), each.price or 0
    return AssetLine(
        asset,
        symbols.get(asset, asset),
        len(str(each.terms.scale)) - 1,
        price,
        supplied=balance,
        collateral=balance * price // each.terms.scale,
        threshold=each.terms.liquidate_cf // 10**14,
        breaks_at=_breaks_at(state, raw, place, totals),
    )


def _breaks_at(state: CometState, raw: Raw, place: int, totals: Totals) -> int | None:
    """The highest price of one collateral, others unchanged, at which the account can be absorbed."""
    if raw.principal >= 0 or state.base_price is None:
        return None

    def breaks(price: int) -> bool:
        changed = list(state.collaterals)
        changed[place] = replace(changed[place], price=price)
        moved = replace(state, collaterals=tuple(changed))
        return is_liquidatable(account_of(moved, raw), totals, state.terms, state.base_price or 0)

    if not breaks(0):
        return None
    return edge(breaks, 0, (state.collaterals[place].price or 1) * _HIGHEST_FACTOR)
