"""The margin library's account of Perp v2, read from what is stored, is worth what the views say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from keeper.localchain import perp_v2_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.perp_v2_market import DOLLAR, RATIO, WAD, CurieSpec, LocalBase
from keeper.margin.perps.perp_v2 import (
    V2,
    free_collateral,
    in_settlement_units,
    liquidatable_size,
    requirement,
)
from keeper.margin.perps.perp_v2_collateral import (
    Cause,
    Pledge,
    SaleTerms,
    TokenLot,
    most_repaid,
    most_sold,
    sale_causes,
)
from tests.conftest import GENESIS
from tests.support.curie_accounts import account, market_now
from tests.support.curie_exchange import BUILDS, COLLATERALS, CurieExchange, curie_exchange

pytestmark = pytest.mark.integration

LONG, SHORT, MAKER, KEEPER = *ACCOUNTS[1:4], "0x" + "5e" * 20
DECIMALS = 6
SYSTEM = CurieSpec()
SALES = SaleTerms(
    SYSTEM.mm_ratio_buffer,
    SYSTEM.debt_to_collateral,
    SYSTEM.liquidation_ratio,
    SYSTEM.collateral_fee,
    SYSTEM.debt_threshold,
    SYSTEM.collateral_dust,
)


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


def check(market: CurieExchange, bases: Sequence[LocalBase], *accounts: str) -> None:
    """Every view of every account is what the library makes of what is stored."""
    markets = [market_now(market, base) for base in bases]
    for now in markets:
        if market.is_open(now.base):
            assert now.price == market.mark(now.base)
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


def check_sales(market: CurieExchange, who: str) -> tuple[Cause, ...]:
    """What may be bought of an account's collateral, and that the vault says the same; the causes."""
    mine = account(market, who, [market_now(market, base) for base in (market.eth, market.btc)])
    needed = requirement(mine.positions, mine.collateral)
    positions = sum(abs(each.value) for each in mine.positions)
    pledge = Pledge(mine.ether, int(needed.equity) - mine.ether, positions)
    vault = market.system.vault
    value = in_settlement_units(pledge.settlement, DECIMALS)
    assert value == market.number(vault, "getSettlementTokenValue(address)", who)
    causes = sale_causes(pledge, V2.mm_ratio, SALES)
    assert bool(causes) == bool(market.number(vault, "isLiquidatable(address)", who))
    initial = needed.parts["debt_value"] * V2.im_ratio // RATIO
    held = market.balance(who, market.weth)
    lot = TokenLot(held, mine.ether_price, COLLATERALS[0].discount_ratio)
    most = "getMaxRepaidSettlementAndLiquidatableCollateral(address,address)"
    views = market.numbers(vault, most, "uint256,uint256", who, market.weth.token)
    assert views == most_sold(lot, most_repaid(pledge, int(initial), SALES))
    return causes


def test_collateral_is_due_for_any_of_three_causes(market: CurieExchange) -> None:
    market.fund(LONG, ether=20)
    market.fund(SHORT, ether=3)
    market.fund(MAKER, ether=3)
    assert check_sales(market, LONG) == ()
    market.trade(LONG, market.eth, 100 * WAD)
    market.trade(SHORT, market.eth, 18 * WAD)
    market.trade(MAKER, market.eth, WAD // 10)
    assert check_sales(market, LONG) == check_sales(market, SHORT) == ()
    for price in (1_900, 1_880):
        market.set_price(market.eth, price)
        market.wait(60)
    assert check_sales(market, LONG) == ("threshold",)
    assert check_sales(market, SHORT) == ("margin",)
    market.set_price(market.eth, 1_830)
    market.wait(60)
    assert check_sales(market, SHORT) == ("margin", "share")
    assert check_sales(market, MAKER) == ()
    # So little debt may be repaid whole.
    market.set_index(market.weth, 10)
    market.wait(900)
    assert check_sales(market, MAKER) == ("margin", "share")


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
    # An answer that nobody makes the feed note leads its average astray, and the library with it.
    market.send(actions.set_index(market.system, market.btc, 10_500 * 10**8))
    market.wait(1_800)
    assert market.index(market.btc, 900) == 11_000 * WAD
    check(market, (market.btc,), LONG)
    assert market.funding(LONG, market.btc) > 1_100 * WAD


def test_a_paused_market_keeps_its_price_and_owes_funding_until_then(market: CurieExchange) -> None:
    market.fund(LONG, dollars=5_000)
    market.fund(MAKER, dollars=20_000)
    market.trade(LONG, market.eth, 10 * WAD)
    ranged = (20 * WAD, 40_000 * WAD, 75_000, 77_040)
    market.send(actions.add_liquidity(market.system, MAKER, market.eth, *ranged))
    market.set_price(market.eth, 1_960)
    market.set_index(market.eth, 1_900)
    market.wait(3_000)
    market.send(actions.pause(market.system, market.eth))
    market.wait(1)
    check(market, (market.eth,), LONG, MAKER)
    owed = market.funding(LONG, market.eth)
    assert owed > 0
    market.set_index(market.eth, 1_000)
    market.wait(4_000)
    check(market, (market.eth,), LONG, MAKER)
    assert market.funding(LONG, market.eth) == owed
    market.send(actions.close_market(market.system, market.eth, 1_850 * WAD))
    check(market, (market.eth,), LONG, MAKER)
