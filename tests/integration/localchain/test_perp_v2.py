"""Perp v2 is deployed whole: accounts trade, owe funding, make markets, break and are taken over by its own
rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.localchain import perp_v2_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.perp_v2_market import DOLLAR, RATIO, WAD, CurieSpec
from keeper.localchain.rpc import RpcRefusedError
from keeper.localchain.transactions import TransactionFailedError, call_of
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, CurieExchange, curie_exchange
from tests.support.synthetix_exchange import logged

pytestmark = pytest.mark.integration

TRADER, OTHER, KEEPER, STRANGER = *ACCOUNTS[1:4], "0x" + "5e" * 20
INITIAL, MAINTENANCE = 100_000, 62_500
DAY = 86_400


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


def in_dollars(value: int) -> int:
    """What the exchange keeps of a value scaled 1e18: whole units of the settlement token, rounded down."""
    return value // 10**12


def pool_tick(market: CurieExchange) -> int:
    return market.numbers(market.eth.pool, "slot0()", "uint160,int24")[1]


def test_a_long_and_a_short_are_worth_what_their_parts_give(market: CurieExchange) -> None:
    market.fund(TRADER, dollars=5_000)
    market.trade(TRADER, market.eth, 20 * WAD)
    market.trade(TRADER, market.btc, -WAD // 4)
    market.set_price(market.eth, 2_040)
    market.wait(60)

    marks = [market.mark(each) for each in (market.eth, market.btc)]
    sizes = [market.size(TRADER, each) for each in (market.eth, market.btc)]
    assert sizes == [20 * WAD, -WAD // 4]
    values = [abs(size) * mark // WAD for size, mark in zip(sizes, marks, strict=True)]
    notionals = [market.taker(TRADER, each)[1] for each in (market.eth, market.btc)]
    assert notionals[0] < 0 < notionals[1]
    owed, profit, fees = market.owed(TRADER)
    assert (owed, fees) == (0, 0)
    assert profit == values[0] - values[1] + sum(notionals)
    funding = sum(market.funding(TRADER, each) for each in (market.eth, market.btc))
    assert market.value(TRADER) == in_dollars(5_000 * WAD + profit - funding) * 10**12
    assert market.required(TRADER) == sum(values) * MAINTENANCE // RATIO

    debt = values[1] + max(0, -sum(notionals))
    whole = 5_000 * WAD - funding
    margin = debt * INITIAL // RATIO
    assert market.free(TRADER, INITIAL) == in_dollars(min(whole, whole + profit) - margin)


def test_funding_is_the_pools_premium_over_the_index_and_at_most_a_tenth_of_it_a_day(
    market: CurieExchange,
) -> None:
    for who, size in ((TRADER, 20 * WAD), (OTHER, -15 * WAD)):
        market.fund(who, dollars=5_000)
        market.trade(who, market.eth, size)
    market.set_index(market.eth, 1_960)
    market.wait(30 * 60)
    market.trade(TRADER, market.eth, -WAD)
    market.trade(TRADER, market.eth, WAD)
    # Until the averages in the mark have forgotten both, however long they lay apart.
    market.wait(30 * 60)
    owed, received = market.funding(TRADER, market.eth), market.funding(OTHER, market.eth)
    value = market.value(TRADER)
    market.wait(DAY)
    owed, received = market.funding(TRADER, market.eth) - owed, market.funding(OTHER, market.eth) - received
    # The pool's average is that of its ticks, a hundredth of a per cent apart.
    pool = actions.pool_root(market.anvil.rpc, market.eth) ** 2 * WAD // 2**192
    assert 0 <= 20 * (pool - 1_960 * WAD) - owed < 20 * pool // 10_000
    assert abs(owed * 15 + received * 20) < 100
    assert abs(value - market.value(TRADER) - owed) <= 10**12

    market.set_index(market.eth, 1_500)
    market.wait(DAY)
    owed = market.funding(TRADER, market.eth)
    market.wait(DAY)
    assert market.funding(TRADER, market.eth) - owed == 20 * 150 * WAD


def test_an_unnoticed_answer_falsifies_the_average_until_it_reverts(market: CurieExchange) -> None:
    market.wait(1)
    market.send(actions.set_index(market.system, market.eth, 1_960 * 10**8))
    market.wait(900)
    assert market.index(market.eth) == 1_960 * WAD
    assert market.index(market.eth, 900) in falsified(1_960)
    market.wait(900)
    assert market.index(market.eth) == 1_960 * WAD
    assert market.index(market.eth, 900) in falsified(1_920)
    market.wait(13 * 3_600)
    with pytest.raises(RpcRefusedError, match="subtraction overflow"):
        market.index(market.eth, 900)
    market.send(actions.cache_index(market.system, STRANGER, market.eth))
    assert market.index(market.eth, 900) == 1_960 * WAD


def falsified(dollars: int) -> range:
    """The average at this price, which falls by 40 dollars in 900 seconds, or a few seconds later.

    The chain's clock goes on between two calls.
    """
    return range(dollars * WAD - 10 * 40 * WAD // 900, dollars * WAD + 1)


def test_a_makers_range_turns_into_a_position_that_anyone_may_cancel_once_it_is_due(
    market: CurieExchange,
) -> None:
    system, lower, upper = market.system, 73_800, 76_440
    market.fund(TRADER, dollars=12_500)
    add = actions.add_liquidity(system, TRADER, market.eth, 50 * WAD, 100_000 * WAD, lower, upper)
    (receipt,) = market.send(add)
    changed = "LiquidityChanged(address,address,address,int24,int24,int256,int256,int128,uint256)"
    assert len(logged(receipt, changed)) == 1
    assert abs(market.size(TRADER, market.eth)) < 10 and market.taker(TRADER, market.eth)[0] == 0

    market.set_price(market.eth, 1_850)
    market.wait(60)
    size, (owed, profit, fees) = market.size(TRADER, market.eth), market.owed(TRADER)
    assert size > 10 * WAD and profit < 0 < fees and owed == 0
    due = actions.cancel_orders(system, STRANGER, TRADER, market.eth)
    with pytest.raises(TransactionFailedError, match="CH_NEXO"):
        market.send(due)

    market.set_price(market.eth, 1_680)
    market.set_price(market.eth, 1_600)
    market.wait(30 * 60)
    assert market.value(TRADER) < market.required(TRADER)
    market.fund(KEEPER, dollars=100_000)
    with pytest.raises(TransactionFailedError, match="CH_CLWTISO"):
        market.send(actions.liquidate(system, KEEPER, TRADER, market.eth))
    size = market.size(TRADER, market.eth)
    market.send(due)
    assert abs(market.taker(TRADER, market.eth)[0] - size) <= 1
    assert market.value(TRADER) < market.required(TRADER)
    market.send(actions.liquidate(system, KEEPER, TRADER, market.eth))
    assert 0 < market.size(KEEPER, market.eth) <= size


def test_a_fall_makes_a_trader_due_and_the_liquidator_takes_half_of_the_position(
    market: CurieExchange,
) -> None:
    system = market.system
    market.fund(TRADER, dollars=5_000)
    market.trade(TRADER, market.eth, 20 * WAD)
    market.set_price(market.eth, 1_880)
    take = actions.liquidate(system, KEEPER, TRADER, market.eth)
    with pytest.raises(TransactionFailedError, match="CH_EAV"):
        market.send(take)
    market.set_price(market.eth, 1_860)
    market.wait(30 * 60)
    assert market.required(TRADER) // 2 < market.value(TRADER) < market.required(TRADER)
    with pytest.raises(TransactionFailedError, match="CH_NEFCI"):
        market.send(take)

    market.fund(KEEPER, dollars=5_000)
    (receipt,) = market.send(take)
    taken = 10 * WAD
    notional = taken * market.mark(market.eth) // WAD
    penalty = notional * 25_000 // RATIO
    assert market.taker(KEEPER, market.eth)[:2] == (taken, -notional + penalty // 2)
    assert market.size(TRADER, market.eth) == 10 * WAD
    liquidated = "PositionLiquidated(address,address,uint256,uint256,uint256,address)"
    (log,) = logged(receipt, liquidated)
    assert str(log["topics"]).lower().count(TRADER[2:].lower()) == 1
    assert str(log["data"]).endswith(KEEPER[2:].lower())
    assert market.value(TRADER) >= market.required(TRADER)

    market.send(actions.close_position(system, KEEPER, market.eth))
    assert market.size(KEEPER, market.eth) == 0
    profit = market.owed(KEEPER)[0]
    # Half the penalty, without the pool's fee and what the sale moved it.
    assert 0 < profit < penalty // 2
    whole = 5_000 * DOLLAR + in_dollars(profit)
    market.send(actions.withdraw(system, KEEPER, whole))
    assert market.dollars(KEEPER) == whole


def test_below_zero_the_liquidator_has_the_whole_penalty_and_the_fund_the_debt(
    market: CurieExchange,
) -> None:
    market.fund(TRADER, dollars=2_500)
    market.trade(TRADER, market.eth, 10 * WAD)
    for price in (1_850, 1_730):
        market.set_price(market.eth, price)
    market.wait(30 * 60)
    assert market.value(TRADER) < 0
    market.fund(KEEPER, dollars=5_000)
    fund = market.system.insurance_fund
    before = market.balance(fund)
    (receipt,) = market.send(actions.liquidate(market.system, KEEPER, TRADER, market.eth))
    size, notional, _ = market.taker(KEEPER, market.eth)
    worth = 10 * WAD * market.mark(market.eth) // WAD
    assert size == 10 * WAD and notional == -worth + worth * 25_000 // RATIO
    settled = logged(receipt, "BadDebtSettled(address,uint256)")
    assert len(settled) == 1 and market.value(TRADER) == 0
    assert before - market.balance(fund) == int(str(settled[0]["data"]), 16) > 0


def test_nobody_is_taken_over_whose_debt_the_fund_cannot_cover() -> None:
    with curie_exchange(GENESIS, BUILDS[-1], CurieSpec(insurance=0)) as market:
        system = market.system
        share = "setInsuranceFundFeeRatio(address,uint24)"
        market.send(call_of(system.owner, system.registry, share, market.eth.token, 0))
        market.fund(TRADER, dollars=2_500)
        market.trade(TRADER, market.eth, 10 * WAD)
        for price in (1_850, 1_730):
            market.set_price(market.eth, price)
        market.wait(30 * 60)
        market.fund(KEEPER, dollars=5_000)
        take = actions.liquidate(system, KEEPER, TRADER, market.eth)
        with pytest.raises(TransactionFailedError, match="CH_IIC"):
            market.send(take)
        market.fund(system.insurance_fund, dollars=10_000)
        market.send(take)


def test_collateral_counts_in_part_and_is_sold_at_a_discount_for_the_debt(market: CurieExchange) -> None:
    system = market.system
    market.fund(TRADER, ether=5)
    assert market.value(TRADER) == 7_000 * WAD
    market.trade(TRADER, market.eth, 20 * WAD)
    sale = actions.liquidate_collateral(system, STRANGER, TRADER, market.weth, 1_800 * DOLLAR)
    with pytest.raises(TransactionFailedError, match="V_NL"):
        market.send(*sale)
    # The loss is beyond three quarters of what the collateral counts for.
    market.set_price(market.eth, 1_850)
    market.set_price(market.eth, 1_720)
    market.wait(30 * 60)
    assert market.number(system.vault, "isLiquidatable(address)", TRADER) == 1
    market.send(sale[-1])
    assert market.balance(TRADER, market.weth) == 4 * WAD
    assert market.balance(TRADER) == 1_800 * DOLLAR * 97 // 100
    assert market.number(market.weth.token, "balanceOf(address)", STRANGER) == WAD


def test_a_close_beyond_the_price_limit_closes_a_part(market: CurieExchange) -> None:
    system = market.system
    market.fund(TRADER, dollars=1_000_000)
    market.trade(TRADER, market.eth, 400 * WAD)
    market.wait(15)
    limit = "setMaxTickCrossedWithinBlock(address,uint24)"
    market.send(call_of(system.owner, system.exchange, limit, market.eth.token, 200))
    before = pool_tick(market)
    market.send(actions.close_position(system, TRADER, market.eth))
    if system.build == "2.6.0":
        assert market.size(TRADER, market.eth) == 300 * WAD
    else:
        assert 0 < market.size(TRADER, market.eth) < 300 * WAD
        assert before - pool_tick(market) == 200


def test_others_may_deposit_for_a_trader_and_trade_once_approved(market: CurieExchange) -> None:
    system = market.system
    market.send(*actions.mint_and_deposit(system, STRANGER, 1_000 * DOLLAR, to=TRADER))
    assert market.value(TRADER) == 1_000 * WAD and market.value(STRANGER) == 0
    order = actions.open_position_for(system, STRANGER, TRADER, market.eth, WAD)
    with pytest.raises(TransactionFailedError, match="CH_SHNAOPT"):
        market.send(order)
    market.send(actions.approve_delegate(system, TRADER, STRANGER), order)
    assert market.size(TRADER, market.eth) == WAD


def test_a_paused_market_freezes_and_a_closed_one_is_left_at_its_price(market: CurieExchange) -> None:
    system = market.system
    market.fund(TRADER, dollars=2_500)
    market.trade(TRADER, market.eth, 10 * WAD)
    market.wait(900)
    market.send(actions.pause(system, market.eth))
    market.set_index(market.eth, 1_000)
    assert market.index(market.eth) == 2_000 * WAD
    with pytest.raises(TransactionFailedError, match="CH_MNO"):
        market.send(actions.close_position(system, TRADER, market.eth))
    leave = actions.quit_market(system, STRANGER, TRADER, market.eth)
    with pytest.raises(TransactionFailedError, match="CH_MNC"):
        market.send(leave)
    entry, funding = market.taker(TRADER, market.eth)[1], market.funding(TRADER, market.eth)
    market.send(actions.close_market(system, market.eth, 1_950 * WAD), leave)
    assert market.size(TRADER, market.eth) == 0
    assert market.owed(TRADER)[0] == 19_500 * WAD + entry - funding
