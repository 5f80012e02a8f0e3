"""Orders that wait: settled at the price of their time for reward and cost, or cancelled for the reward where
that price misses their limit. After their window nothing pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.margin.perps.synthetix_v3.market import fill_price, order_fee
from keeper.margin.rounding import WAD, wad_mul_trunc
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import KEPT_PERCENT, Blocked
from keeper.model.price_update import PriceUpdate, WantedBenchmark
from keeper.model.purse import Purse
from keeper.oracles.pull import carrier as carrying
from keeper.protocols.lenses import LensContract, words
from keeper.protocols.synthetix_v3.lens import PerpsState, Strategy
from keeper.protocols.synthetix_v3.planning import ERRORS, UPDATE_GAS, brought, valid_until
from keeper.protocols.synthetix_v3.records import Order, PerpsAccount, has_order
from keeper.protocols.synthetix_v3.valuing import accrued, valued

SETTLE = "settleOrder(uint128)"
CANCEL = "cancelOrder(uint128)"
# Measured: settling 699,000 and 713,000 with one price, 1,242,000 with three; cancelling 408,000 with three.
SETTLING_GAS, CANCELLING_GAS, FEED_GAS = 450_000, 450_000, 280_000


def strategy_of(state: PerpsState, order: Order) -> Strategy | None:
    """How an order is settled; None where its market has no such way."""
    perp = state.perps.get(order.market)
    return perp.strategies[order.strategy] if perp and order.strategy < len(perp.strategies) else None


def window(state: PerpsState, raw: PerpsAccount) -> tuple[int, int] | None:
    """From when until when the account's order can be settled; None where it has none, or none of the
    market's ways to settle."""
    strategy = strategy_of(state, raw.order) if raw.order is not None else None
    if raw.order is None or strategy is None:
        return None
    opens = raw.order.time + strategy.delay
    return opens, opens + strategy.window


def waits(state: PerpsState, raw: PerpsAccount, timestamp: int) -> bool:
    """Whether an order of the account can still be settled: until then nothing else can be done with it."""
    found = window(state, raw)
    return found is not None and timestamp <= found[1]


@dataclass(frozen=True, slots=True)
class OrderUpkeep:
    """Of one perps market; `carrier` is our contract that brings prices along."""

    market: str
    lens: LensContract
    carrier: str | None

    def has_work(self, record: bytes) -> bool:
        return has_order(record)

    def window(self, state: PerpsState, raw: PerpsAccount) -> tuple[int, int] | None:
        return window(state, raw)

    def work_calls(self, state: PerpsState, account: str) -> list[Call]:
        return [self.lens.call("settlementPrice(address,uint128)", self.market, int(account, 16))]

    def _price(self, state: PerpsState, account: str, answers: Mapping[Call, Answer]) -> int | None:
        """The price that the order is settled at (18 decimals), where it is on chain."""
        answer = answers[self.work_calls(state, account)[0]]
        known, price = words(answer.data) if answer.ok else (0, 0)
        return price if known else None

    def wanted_benchmark(
        self, state: PerpsState, account: str, raw: PerpsAccount, answers: Mapping[Call, Answer]
    ) -> WantedBenchmark | None:
        strategy = strategy_of(state, raw.order) if raw.order is not None else None
        if raw.order is None or strategy is None or self._price(state, account, answers) is not None:
            return None
        return WantedBenchmark(
            strategy.verifier.lower(), strategy.feed, raw.order.time + strategy.price_delay
        )

    def work(
        self,
        state: PerpsState,
        account: str,
        raw: PerpsAccount,
        timestamp: int,
        purse: Purse,
        answers: Mapping[Call, Answer],
    ) -> list[Offer] | Blocked:
        """To settle the order, or to cancel one whose price misses its limit."""
        order, found = raw.order, window(state, raw)
        strategy = strategy_of(state, order) if order is not None else None
        if order is None or found is None or strategy is None or not found[0] <= timestamp <= found[1]:
            return Blocked("no order of it can be settled now")
        if strategy.disabled or not state.open:
            return Blocked("its market, or its way to settle, is switched off")
        if raw.flagged:
            return Blocked("it is flagged for liquidation, which drops the order")
        price, told = self._price(state, account, answers), purse.benchmarks.get(account)
        if price is None:
            unknown = "the price that its order is settled at has not been brought yet"
            return Blocked(told if isinstance(told, str) else unknown)
        act = _act(state, account, raw, order, strategy, price, timestamp)
        if isinstance(act, Blocked):
            return act
        signature, reward, gas = act
        dollars = Asset(state.dollar.lower(), purse.symbol(state.dollar.lower()), WAD, WAD)
        benchmark = [told] if isinstance(told, PriceUpdate) else []
        own = [*brought(state, raw, purse.updates), *_of_market(state, order, purse.updates)]
        own = list(dict.fromkeys(own))
        until = min(found[1], valid_until(state, raw)) if own else found[1]
        if timestamp > until:
            return Blocked("the prices that could be brought along would be too old in the next block")
        updates = [*own, *benchmark]
        return self._offer(signature, account, reward, gas, dollars, updates, until)

    def _offer(
        self,
        signature: str,
        account: str,
        reward: int,
        gas: int,
        dollars: Asset,
        updates: Sequence[PriceUpdate],
        until: int,
    ) -> list[Offer] | Blocked:
        """The call alone, or behind the prices that it needs."""
        call, target, errors = encoded(signature, int(account, 16)), self.market, ERRORS
        if updates:
            if self.carrier is None:
                return Blocked(
                    "prices must be brought along, which a contract of ours does: "
                    "keeper contracts deploy price-carrier, and set price_carrier"
                )
            least = {dollars.token: max(reward * KEPT_PERCENT // 100, 1)}
            call = carrying.carried(updates, self.market, call, least)
            target, errors = self.carrier.lower(), f"{ERRORS}+{carrying.ERRORS}"
        return [
            Offer(
                dollars,
                dollars,
                target,
                (0,),
                partial(_whole, Quote(0, 0, reward, (call,))),
                gas + UPDATE_GAS * len(updates),
                errors,
                taker="signer",
                kind="settle",
                action="settle_order" if signature == SETTLE else "cancel_order",
                value=carrying.fees(updates),
                valid_until=until,
            )
        ]


def _of_market(state: PerpsState, order: Order, updates: Sequence[PriceUpdate]) -> list[PriceUpdate]:
    """What brings the price of the order's own market, which settling and cancelling read besides."""
    wanted = state.perps[order.market].freshness.ids
    return [each for each in updates if each.ids & wanted]


def _act(
    state: PerpsState,
    account: str,
    raw: PerpsAccount,
    order: Order,
    strategy: Strategy,
    price: int,
    timestamp: int,
) -> tuple[str, int, int] | Blocked:
    """What is done, what it pays and the gas it takes; or why nothing is."""
    perp = state.perps[order.market]
    fill = fill_price(perp.funding.skew, perp.terms.skew_scale, order.size, price)
    if fill > order.acceptable_price if order.size > 0 else fill < order.acceptable_price:
        if not strategy.reward:
            return Blocked("its price misses the order's limit, and cancelling it pays nothing")
        return CANCEL, strategy.reward, CANCELLING_GAS
    if not state.costs_known:
        return Blocked("what keepers' work costs cannot be had")
    reward = strategy.reward + state.settle_cost
    if not reward:
        return Blocked("settling its order pays nothing")
    now = valued(state, account, raw, accrued(state, timestamp))
    if now.liquidatable:
        return Blocked("the account can be liquidated: its order is not settled")
    fee = order_fee(order.size, fill, perp.funding.skew, perp.maker_fee, perp.taker_fee) + reward
    if now.equity + min(wad_mul_trunc(order.size, price - fill), 0) < fee:
        return Blocked("its margin does not pay for the order")
    prices = raw.feeds + all(each.market != order.market for each in raw.positions)
    return SETTLE, reward, SETTLING_GAS + FEED_GAS * prices


def _whole(deal: Quote, _: int) -> Quote:
    return deal
