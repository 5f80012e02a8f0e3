"""Orders that wait: settled at the price of their time for reward and cost, or cancelled for the reward where
that price misses their limit. After their window nothing pays."""

from __future__ import annotations

from functools import partial

from keeper.chain.calldata import encoded
from keeper.margin.perps.synthetix_v3.market import fill_price, order_fee
from keeper.margin.rounding import wad_mul_trunc
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import Blocked
from keeper.protocols.synthetix_v3.lens import PerpsState
from keeper.protocols.synthetix_v3.records import Order, PerpsAccount
from keeper.protocols.synthetix_v3.valuing import accrued, valued

SETTLE = "settleOrder(uint128)"
CANCEL = "cancelOrder(uint128)"
# Measured: settling 699,000 and 713,000 with one price, 1,242,000 with three; cancelling 408,000 with three.
SETTLING_GAS, CANCELLING_GAS, FEED_GAS = 450_000, 450_000, 280_000


def window(state: PerpsState, raw: PerpsAccount) -> tuple[int, int] | None:
    """From when until when the account's order can be settled; None where it has none, or none of the
    market's ways to settle."""
    if raw.order is None or raw.order.market not in state.perps:
        return None
    strategies = state.perps[raw.order.market].strategies
    if raw.order.strategy >= len(strategies):
        return None
    strategy = strategies[raw.order.strategy]
    opens = raw.order.time + strategy.delay
    return opens, opens + strategy.window


def waits(state: PerpsState, raw: PerpsAccount, timestamp: int) -> bool:
    """Whether an order of the account can still be settled: until then nothing else can be done with it."""
    found = window(state, raw)
    return found is not None and timestamp <= found[1]


def offers(
    market: str,
    state: PerpsState,
    account: str,
    raw: PerpsAccount,
    timestamp: int,
    price: int | None,
    dollars: Asset,
) -> list[Offer] | Blocked:
    """To settle, or to cancel what its `price` (18 decimals, of the time the order is settled at) misses."""
    order, found = raw.order, window(state, raw)
    if order is None or found is None or not found[0] <= timestamp <= found[1]:
        return Blocked("no order of it can be settled now")
    strategy = state.perps[order.market].strategies[order.strategy]
    if strategy.disabled or not state.open:
        return Blocked("its market, or its way to settle, is switched off")
    if raw.flagged:
        return Blocked("it is flagged for liquidation, which drops the order")
    if price is None:
        return Blocked("the price that its order is settled at has not been brought yet")
    perp = state.perps[order.market]
    fill = fill_price(perp.funding.skew, perp.terms.skew_scale, order.size, price)
    if _misses(order, fill):
        if not strategy.reward:
            return Blocked("its price misses the order's limit, and cancelling it pays nothing")
        return [_offer(market, CANCEL, account, strategy.reward, CANCELLING_GAS, dollars)]
    if not state.costs_known:
        return Blocked("what keepers' work costs cannot be had")
    reward = strategy.reward + state.settle_cost
    if why := _refused(state, account, raw, order, price, fill, reward, timestamp):
        return Blocked(why)
    prices = raw.feeds + all(each.market != order.market for each in raw.positions)
    return [_offer(market, SETTLE, account, reward, SETTLING_GAS + FEED_GAS * prices, dollars)]


def _misses(order: Order, fill: int) -> bool:
    return fill > order.acceptable_price if order.size > 0 else fill < order.acceptable_price


def _refused(
    state: PerpsState,
    account: str,
    raw: PerpsAccount,
    order: Order,
    price: int,
    fill: int,
    reward: int,
    timestamp: int,
) -> str:
    """Why settling would revert, as far as the account's margin tells; a rehearsal finds the rest."""
    perp = state.perps[order.market]
    now = valued(state, account, raw, accrued(state, timestamp))
    if now.liquidatable:
        return "the account can be liquidated: its order is not settled"
    fee = order_fee(order.size, fill, perp.funding.skew, perp.maker_fee, perp.taker_fee) + reward
    margin = now.equity + min(wad_mul_trunc(order.size, price - fill), 0)
    return "its margin does not pay for the order" if margin < fee else ""


def _offer(market: str, signature: str, account: str, pays: int, gas: int, dollars: Asset) -> Offer:
    deal = Quote(0, 0, pays, (encoded(signature, int(account, 16)),))
    action = "settle_order" if signature == SETTLE else "cancel_order"
    return Offer(
        dollars,
        dollars,
        market,
        (0,),
        partial(_whole, deal),
        gas,
        "synthetix_v3_errors",
        taker="signer",
        kind="settle",
        action=action,
    )


def _whole(deal: Quote, _: int) -> Quote:
    return deal
