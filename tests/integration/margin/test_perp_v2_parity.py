"""The margin library's account of Perp v2, read from what is stored, is worth what the views say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from keeper.localchain import perp_v2_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import view
from keeper.localchain.perp_v2_market import DOLLAR, RATIO, WAD, LocalBase
from keeper.localchain.rpc import as_dict, as_int
from keeper.margin.perps.perp_v2 import (
    V2,
    Position,
    free_collateral,
    in_settlement_units,
    liquidatable_size,
    requirement,
)
from keeper.margin.perps.perp_v2_market import (
    PremiumGrowth,
    accrue_premium,
    funding_payment,
    mark_price,
    mean_tick,
)
from keeper.margin.perps.perp_v2_ranges import (
    MakerRange,
    RangeGrowth,
    maker_position,
    pending_fee,
    range_funding,
    range_growth,
)
from keeper.venues.uniswap_v3.tick_math import sqrt_ratio_at
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, COLLATERALS, CurieExchange, curie_exchange
from tests.support.curie_storage import fee_growth, first_traded, premium_growth, tick_growth

pytestmark = pytest.mark.integration

LONG, SHORT, MAKER, KEEPER = *ACCOUNTS[1:4], "0x" + "5e" * 20
PREMIUM, LONG_AVERAGE, MAX_RATE = 900, 1_800, 100_000
DECIMALS = 6


@dataclass(frozen=True)
class MarketNow:
    """One market at the latest block: the pool's root and tick, the mark, funding as it is and as it was."""

    base: LocalBase
    root: int
    tick: int
    mark: int
    growth: PremiumGrowth


@dataclass(frozen=True)
class Account:
    """One account worked out from what is stored."""

    positions: Sequence[Position]
    collateral: int
    funding: Sequence[int]
    fees: int


@pytest.fixture(scope="module", params=BUILDS)
def session(request: pytest.FixtureRequest) -> Iterator[CurieExchange]:
    with curie_exchange(GENESIS, request.param) as running:
        yield running


@pytest.fixture
def market(session: CurieExchange) -> Iterator[CurieExchange]:
    """What a test does to it is undone."""
    snapshot = session.anvil.snapshot()
    yield session
    session.anvil.revert(snapshot)


def average_root(market: CurieExchange, base: LocalBase, interval: int) -> int:
    """The pool's average as a root; that of the moment where the interval is too short to average."""
    if interval < 10:
        return actions.pool_root(market.anvil.rpc, base)
    observed = view(
        market.anvil.rpc, base.pool, "observe(uint32[])", ([interval, 0],), "int56[]", "uint160[]"
    )
    return sqrt_ratio_at(mean_tick(*cast(tuple[int, int], observed[0]), interval))


def market_now(market: CurieExchange, base: LocalBase) -> MarketNow:
    block = as_dict(market.anvil.rpc.call("eth_getBlockByNumber", "latest", False))
    now = as_int(block["timestamp"])
    root, tick = market.numbers(base.pool, "slot0()", "uint160,int24")
    mark = mark_price(
        root if market.system.build == "2.6.0" else average_root(market, base, 15),
        average_root(market, base, LONG_AVERAGE),
        average_root(market, base, PREMIUM),
        market.index(base),
        market.index(base, PREMIUM),
    )
    traded = first_traded(market, base)
    interval = min(PREMIUM, now - traded) if traded else 0
    growth = accrue_premium(
        premium_growth(market, base),
        average_root(market, base, interval),
        market.index(base, interval),
        root,
        MAX_RATE,
        now,
    )
    return MarketNow(base, root, tick, mark, growth)


def ranges_of(market: CurieExchange, who: str, now: MarketNow) -> list[tuple[MakerRange, RangeGrowth]]:
    """An account's ranges in one market, each with what has grown in it."""
    book, token = market.system.order_book, now.base.token
    arguments = (who, token)
    identities = view(market.anvil.rpc, book, "getOpenOrderIds(address,address)", arguments, "bytes32[]")[0]
    found = []
    for identity in cast(tuple[bytes, ...], identities):
        types = "uint128,int24,int24,uint256,int256,int256,int256,uint256,uint256"
        liquidity, lower, upper, *settled, base, quote = market.numbers(
            book, "getOpenOrderById(bytes32)", types, identity
        )
        side = -1 if now.tick < lower else 0 if now.tick < upper else 1
        below, above = (tick_growth(market, now.base, tick) for tick in (lower, upper))
        grown = range_growth(below, above, side, now.growth, fee_growth(market, now.base))
        roots = (sqrt_ratio_at(lower), sqrt_ratio_at(upper))
        found.append((MakerRange(*roots, liquidity, base, quote, RangeGrowth(*settled)), grown))
    return found


def account(market: CurieExchange, who: str, markets: Sequence[MarketNow]) -> Account:
    positions, funding, fees = [], [], 0
    for now in markets:
        size, notional, settled = market.taker(who, now.base)
        ranges = ranges_of(market, who, now)
        held = [each for each, _ in ranges]
        positions.append(maker_position(size, notional, held, now.root, now.mark))
        fees += sum(pending_fee(*each) for each in ranges)
        base = size - sum(each.base_debt for each in held)
        own = sum(range_funding(*each) for each in ranges)
        funding.append(funding_payment(base, now.growth, settled, own))
    owed = market.owed(who)[0]
    dollars = market.balance(who) * WAD // DOLLAR
    price = market.number(
        market.system.collateral_manager, "getPrice(address,uint256)", market.weth.token, PREMIUM
    )
    ether = market.balance(who, market.weth) * price // 10**8 * COLLATERALS[0].collateral_ratio // RATIO
    return Account(positions, dollars + ether + owed + fees - sum(funding), funding, fees)


def check(market: CurieExchange, bases: Sequence[LocalBase], *accounts: str) -> None:
    """Every view of every account is what the library makes of what is stored."""
    markets = [market_now(market, base) for base in bases]
    for now in markets:
        assert now.mark == market.mark(now.base)
    for who in accounts:
        mine = account(market, who, markets)
        assert mine.funding == [market.funding(who, base) for base in bases]
        assert [each.size for each in mine.positions] == [market.size(who, base) for base in bases]
        needed = requirement(mine.positions, mine.collateral)
        assert mine.fees == market.owed(who)[2]
        assert needed.parts["unrealized_pnl"] == market.owed(who)[1]
        assert needed.maintenance == market.required(who)
        value = in_settlement_units(int(needed.equity), DECIMALS)
        assert value * WAD // DOLLAR == market.value(who)
        debts = "getTotalDebtValue(address)"
        assert needed.parts["debt_value"] == market.number(market.system.account_balance, debts, who)
        for ratio in (V2.im_ratio, V2.mm_ratio):
            free = free_collateral(mine.positions, mine.collateral, ratio)
            assert in_settlement_units(free, DECIMALS) == market.free(who, ratio)
        taken = "getLiquidatablePositionSize(address,address,int256)"
        for base, held in zip(bases, mine.positions, strict=True):
            asked = (who, base.token, market.value(who))
            expected = market.number(market.system.account_balance, taken, *asked)
            assert liquidatable_size(held, mine.positions, market.value(who)) == expected


def test_accounts_are_worth_what_the_views_say_at_every_price_and_time(market: CurieExchange) -> None:
    system, bases = market.system, (market.eth, market.btc)
    market.fund(LONG, dollars=3_000, ether=2)
    market.fund(SHORT, dollars=6_000)
    market.fund(MAKER, dollars=20_000, ether=1)
    market.fund(KEEPER, dollars=50_000)
    check(market, bases, LONG, KEEPER)

    market.trade(LONG, market.eth, 20 * WAD)
    market.trade(SHORT, market.eth, -15 * WAD)
    check(market, bases, LONG, SHORT)
    market.wait(7)
    market.trade(LONG, market.btc, -WAD // 4)
    market.send(
        actions.add_liquidity(system, MAKER, market.eth, 20 * WAD, 40_000 * WAD, 75_000, 77_040),
        actions.add_liquidity(system, MAKER, market.eth, 10 * WAD, 20_000 * WAD, 75_960, 76_080),
        actions.add_liquidity(system, MAKER, market.btc, 0, 20_000 * WAD, 102_000, 102_480),
    )
    check(market, bases, MAKER)
    for price in (1_950, 2_040, 1_890):
        market.set_price(market.eth, price)
        check(market, bases, LONG, MAKER)
        market.wait(313)
        market.trade(SHORT, market.eth, -WAD)
        market.wait(6 * 3_600)
        check(market, bases, SHORT, MAKER)

    # Collateral falls as well, and the long is taken over whole.
    market.set_price(market.eth, 1_790)
    market.set_index(market.weth, 1_700)
    market.wait(200)
    check(market, bases, LONG, MAKER)
    assert market.value(LONG) < market.required(LONG)
    market.send(actions.liquidate(system, KEEPER, LONG, market.eth))
    check(market, bases, LONG, KEEPER)

    # A squeeze takes the short below zero, and the maker out of its ranges.
    for price in (1_950, 2_130, 2_320, 2_500):
        market.set_price(market.eth, price)
    market.wait(100)
    check(market, bases, SHORT, MAKER)
    market.set_index(market.eth, 2_600)
    market.wait(1_800)
    assert market.value(SHORT) < 0
    check(market, bases, SHORT, MAKER)


def test_funding_stops_growing_at_a_tenth_of_the_index_a_day(market: CurieExchange) -> None:
    market.fund(LONG, dollars=50_000)
    market.trade(LONG, market.btc, WAD)
    market.set_index(market.btc, 10_000)
    market.wait(86_400)
    check(market, (market.btc,), LONG)
    assert 1_000 * WAD <= market.funding(LONG, market.btc) < 1_001 * WAD
