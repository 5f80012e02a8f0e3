"""Liquidations, which cost nothing and pay a reward, and what helps an account, exact at the planned time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.margin.perps.synthetix_v3.account import keeper_reward
from keeper.margin.perps.synthetix_v3.cross_margin import (
    CrossAccount,
    is_liquidatable,
    is_margin_liquidatable,
)
from keeper.margin.rounding import WAD, wad_div_trunc, wad_mul_trunc
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import KEPT_PERCENT, Blocked
from keeper.model.price_update import PriceUpdate
from keeper.oracles.pull import carrier as carrying
from keeper.protocols.cures import ENDLESS, MOST, Cure, grown, needed, paid
from keeper.protocols.synthetix_v3.lens import DOLLAR, Freshness, Perp, PerpsState
from keeper.protocols.synthetix_v3.records import PerpsAccount
from keeper.protocols.synthetix_v3.valuing import (
    accrued,
    cross_account,
    keeper_terms,
    valued,
)

# Measured on two markets (1.2 million), with room; prices that must be brought come on top.
LIQUIDATION_GAS, FEED_GAS, CURE_GAS = 600_000, 350_000, 700_000
# What bringing one price takes, the signatures of Pyth's guardians included.
UPDATE_GAS = 300_000
ERRORS = "synthetix_v3_errors"
LIQUIDATE = "liquidate(uint128)"
LIQUIDATE_MARGIN = "liquidateMarginOnly(uint128)"
LIQUIDATE_FLAGGED = "liquidateFlaggedAccounts(uint128[])"
PAY_DEBT = "payDebt(uint128,uint256)"
DEPOSIT = "modifyCollateral(uint128,uint128,int256)"
HAS_RIGHT = "isAuthorized(uint128,bytes32,address)"
MAY_DEPOSIT = b"PERPS_MODIFY_COLLATERAL".ljust(32, b"\0")
MAY_COMMIT = b"PERPS_COMMIT_ASYNC_ORDER".ljust(32, b"\0")
ADD = "add(uint128,uint128,address,uint128)"


def number(account: str) -> int:
    """An account's number, out of its key."""
    return int(account, 16)


def strictly(state: PerpsState) -> PerpsState:
    """The market at the prices that liquidations take; None where there is none as fresh."""
    perps = {each.id: replace(each, price=each.strict_price) for each in state.perps.values()}
    synths = {each.id: replace(each, price=each.strict_price) for each in state.synths.values()}
    return replace(state, perps=MappingProxyType(perps), synths=MappingProxyType(synths))


def offers(
    market: str,
    state: PerpsState,
    account: str,
    raw: PerpsAccount,
    timestamp: int,
    dollars: Asset,
    updates: Sequence[PriceUpdate] = (),
    carrier: str | None = None,
) -> list[Offer] | Blocked:
    """To liquidate the account, or what is left of one that is flagged, for the reward in dollars. Where
    `updates` brought prices of it, the `carrier` brings them along."""
    if not state.open:
        return Blocked("the market is closed: nothing can be liquidated")
    strict = strictly(state)
    if why := _missing(strict, raw):
        return Blocked(why)
    call, reward = _call(state, strict, account, raw, timestamp)
    if not call:
        return Blocked("it has margin enough at the prices that a liquidation takes")
    if reward <= 0:
        return Blocked("liquidating it pays nothing now: its markets' capacity is used up")
    gas = LIQUIDATION_GAS + FEED_GAS * raw.feeds
    if own := brought(state, raw, updates):
        return _carried(market, dollars, call, reward, gas, own, valid_until(state, raw), timestamp, carrier)
    deal = Quote(0, 0, reward, (call,))
    return [Offer(dollars, dollars, market, (0,), lambda _: deal, gas, ERRORS)]


def _carried(
    market: str,
    dollars: Asset,
    call: bytes,
    reward: int,
    gas: int,
    updates: Sequence[PriceUpdate],
    valid_until: int,
    timestamp: int,
    carrier: str | None,
) -> list[Offer] | Blocked:
    if carrier is None:
        return Blocked(
            "its prices must be brought along, which a contract of ours does: "
            "keeper contracts deploy price-carrier, and set price_carrier"
        )
    if timestamp > valid_until:
        return Blocked("the prices that could be brought along would be too old in the next block")
    # What comes can be a little less than at the second that was planned for, but never next to nothing.
    least = {dollars.token: max(reward * KEPT_PERCENT // 100, 1)}
    deal = Quote(0, 0, reward, (carrying.carried(updates, market, call, least),))
    return [
        Offer(
            dollars,
            dollars,
            carrier.lower(),
            (0,),
            lambda _: deal,
            gas + UPDATE_GAS * len(updates),
            f"{ERRORS}+{carrying.ERRORS}",
            taker="signer",
            value=carrying.fees(updates),
            valid_until=valid_until,
        )
    ]


def _freshnesses(state: PerpsState, raw: PerpsAccount) -> list[Freshness]:
    """Of the account's own prices, which a liquidation wants young."""
    held = [state.synths[identity].freshness for identity, _ in raw.collaterals if identity != DOLLAR]
    return [*(state.perps[each.market].freshness for each in raw.positions), *held]


def brought(state: PerpsState, raw: PerpsAccount, updates: Sequence[PriceUpdate]) -> list[PriceUpdate]:
    """Those of the updates that bring prices which a liquidation reads: the account's, those by which
    costs are told, and of whatever anybody has as collateral, by which the rate of interest is found."""
    held = [each.freshness for each in state.synths.values() if each.amount]
    wanted = {identity for each in (*_freshnesses(state, raw), *held) for identity in each.ids}
    wanted |= {identity for query in state.cost_queries for identity in query.ids}
    return [each for each in updates if each.ids & wanted]


def valid_until(state: PerpsState, raw: PerpsAccount) -> int:
    """Unix time of the last block in which all prices of the account that are brought are young enough."""
    return min(
        (each.published + each.tolerance for each in _freshnesses(state, raw) if each.ids), default=2**63 - 1
    )


def _missing(strict: PerpsState, raw: PerpsAccount) -> str:
    """Which price a liquidation would not get, in words; empty where it gets all."""
    if not strict.costs_known:
        return "what keepers' work costs cannot be had"
    stale = [strict.perps[each.market].symbol for each in raw.positions if _no_price(strict, each.market)]
    stale += [strict.synths[i].token for i, _ in raw.collaterals if strict.synths[i].price is None]
    return f"no price that a liquidation takes of {', '.join(stale)}" if stale else ""


def _no_price(state: PerpsState, market: int) -> bool:
    return state.perps[market].price is None


def _call(
    state: PerpsState, strict: PerpsState, account: str, raw: PerpsAccount, timestamp: int
) -> tuple[bytes, int]:
    """The call that liquidates, and what it pays; no call where the account is not due."""
    now = accrued(strict, timestamp)
    worth, keeper = cross_account(strict, raw, now), keeper_terms(state, raw)
    who = number(account)
    if raw.flagged:
        pays = any(_capacity(state.perps[each.market], timestamp) for each in raw.positions)
        reward = keeper_reward(0, keeper.liquidate_cost, keeper) if pays and keeper.liquidate_cost else 0
        return encoded(LIQUIDATE_FLAGGED, [who]), reward
    costs = keeper.flag_cost + keeper.liquidate_cost
    if is_margin_liquidatable(worth, keeper):
        call, flags = encoded(LIQUIDATE_MARGIN, who), 0
    elif is_liquidatable(worth, keeper):
        call, flags = encoded(LIQUIDATE, who), _flag_rewards(worth)
    else:
        return b"", 0
    seized = cross_account(state, raw, now).collateral_value
    rewards = max(flags, wad_mul_trunc(seized, keeper.collateral_reward_ratio))
    return call, keeper_reward(rewards, costs, keeper, seized) if rewards + costs else 0


def _flag_rewards(worth: CrossAccount) -> int:
    return sum(wad_mul_trunc(each.notional, each.terms.flag_reward_ratio) for each in worth.positions)


def _capacity(perp: Perp, timestamp: int) -> bool:
    """Whether any size can be liquidated at `timestamp`: the window has room, or the market is so balanced
    that another block is allowed."""
    if not perp.terms.window_max or perp.capacity_at(timestamp):
        return True
    if not perp.max_pd or perp.limited_at >= timestamp or not perp.terms.skew_scale:
        return False
    return wad_div_trunc(abs(perp.funding.skew), perp.terms.skew_scale) < perp.max_pd


def cure(
    market: str,
    state: PerpsState,
    raw: PerpsAccount,
    request: CureRequest,
    step: Step,
    asset: Asset,
    identity: int,
    via: str,
) -> Cure:
    """To pay the account's debt, or to add a collateral, where need be by the contract (`via`) that may."""
    now = accrued(state, request.timestamp)
    repays = step.action == "repay"
    who = number(request.account)

    def then(amount: int) -> int:
        found = valued(state, request.account, after(raw, identity, amount, repays), now).health
        return ENDLESS if found is None else found

    def data(amount: int) -> bytes:
        if repays:
            return encoded(PAY_DEBT, who, amount)
        if via:
            return encoded(ADD, who, identity, asset.token, amount)
        return encoded(DEPOSIT, who, identity, amount)

    if repays:
        owes = "0x" + encoded("debt(uint128)", who).hex()
        least = needed(then, request.target, raw.debt)
        return Cure(step, asset, least, then, market, data, CURE_GAS, ERRORS, paid(market, owes, raw.debt))
    synth, held = state.synths[identity], dict(raw.collaterals).get(identity, 0)
    call = "0x" + encoded("getCollateralAmount(uint128,uint128)", who, identity).hex()
    return Cure(
        step,
        asset,
        needed(then, request.target, MOST),
        then,
        via or market,
        data,
        CURE_GAS,
        ERRORS,
        grown(market, call, held),
        room=max(synth.most - synth.amount, 0),
        full="the cap of this collateral is reached",
    )


def after(raw: PerpsAccount, identity: int, amount: int, repays: bool) -> PerpsAccount:
    """The account after `amount` was paid or added."""
    if repays:
        return replace(raw, debt=max(raw.debt - amount, 0))
    held = dict(raw.collaterals)
    held[identity] = held.get(identity, 0) + amount
    return replace(raw, collaterals=tuple(held.items()))


def assets(state: PerpsState, symbols: Mapping[str, str]) -> dict[str, tuple[int, Asset]]:
    """Each collateral that has a price: its number, and what it is, by token."""
    found = {}
    for each in state.synths.values():
        token = state.dollar if each.id == DOLLAR else each.token
        if each.price is not None:
            found[token.lower()] = (
                each.id,
                Asset(token.lower(), symbols.get(token.lower(), token), each.price, WAD),
            )
    return found
