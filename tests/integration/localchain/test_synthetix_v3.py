"""Synthetix v3 perps are deployed whole: accounts trade, owe, break and are liquidated by its own rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.localchain import synthetix_v3_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.synthetix_v3_market import DAY, WAD
from keeper.localchain.transactions import TransactionFailedError
from tests.conftest import GENESIS
from tests.support.synthetix_exchange import Exchange, exchange, logged

pytestmark = pytest.mark.integration

TRADER, OTHER, KEEPER, STRANGER = *ACCOUNTS[1:4], "0x" + "5e" * 20
LONG, SHORT = 7, 8
COSTS = {"settle": 3 * WAD // 2, "flag": WAD // 2, "liquidate": WAD}


@pytest.fixture(scope="module")
def session() -> Iterator[Exchange]:
    with exchange(GENESIS) as running:
        yield running


@pytest.fixture
def market(session: Exchange) -> Iterator[Exchange]:
    """What a test does to it is undone."""
    snapshot = session.anvil.snapshot()
    yield session
    session.anvil.revert(snapshot)


def times(a: int, b: int) -> int:
    """The protocol's product of two numbers scaled 1e18, cut towards zero."""
    product = abs(a) * abs(b) // WAD
    return product if (a >= 0) == (b >= 0) else -product


def test_margins_of_a_hedged_account_are_what_its_parts_give(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=3_000, synths=2)
    market.trade(TRADER, LONG, market.eth, 10 * WAD, 2_000, KEEPER)
    market.trade(TRADER, LONG, market.btc, -WAD // 2, 30_000, KEEPER)
    market.set_price("ETH", 2_050)

    # 2 sETH of a skew scale of 100 are 2 %, which is also the least discount.
    synths = times(2 * 2_050 * WAD, WAD - WAD // 50)
    dollars = market.number("getCollateralAmount(uint128,uint128)", LONG, 0)
    shape = ("getOpenPosition(uint128,uint128)", "int256,int256,int128,uint256")
    profits = [market.numbers(*shape, LONG, each.id)[0] for each in (market.eth, market.btc)]
    assert profits[0] > 480 * WAD > 0 > profits[1]
    assert market.margin(LONG) == dollars + synths + sum(profits)
    assert market.number("totalCollateralValue(uint128)", LONG) == dollars + 4_100 * WAD
    assert market.numbers_in_list("getAccountOpenPositions(uint128)", LONG) == [100, 101]
    assert market.numbers_in_list("getAccountCollateralIds(uint128)", LONG) == [0, 1]

    notional = (20_500 * WAD, 15_000 * WAD)
    impact = (10 * WAD // 100_000, WAD // 2 // 10_000)
    ratios = [2 * i + WAD // 50 for i in impact]
    initial = [times(n, each) + 10 * WAD for n, each in zip(notional, ratios, strict=True)]
    upkeep = [times(n, each // 2) + 10 * WAD for n, each in zip(notional, ratios, strict=True)]
    # One per cent of both positions is more than of the collateral; three feeds were brought for the flag.
    reward = times(sum(notional), WAD // 100) + 3 * COSTS["flag"] + COSTS["liquidate"]
    assert market.required(LONG) == (sum(initial) + reward, sum(upkeep) + reward, reward)


def test_a_fall_of_the_price_makes_an_account_liquidatable_and_the_keeper_is_paid(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=2_500)
    market.trade(TRADER, LONG, market.eth, 10 * WAD, 2_000, KEEPER)
    with pytest.raises(TransactionFailedError, match="NotEligibleForLiquidation"):
        market.send(actions.liquidate(market.system, KEEPER, LONG))
    market.set_price("ETH", 1_800)
    assert not market.is_liquidatable(LONG)
    market.set_price("ETH", 1_785)
    assert market.is_liquidatable(LONG)
    assert market.margin(LONG) < market.required(LONG)[1]

    before, reward = market.dollars(KEEPER), market.required(LONG)[2]
    (receipt,) = market.send(actions.liquidate(market.system, KEEPER, LONG))
    assert market.dollars(KEEPER) - before == reward == times(17_850 * WAD, WAD // 100) + 3 * WAD // 2
    assert market.size(LONG, market.eth) == 0 and not market.is_liquidatable(LONG)
    assert market.number("getCollateralAmount(uint128,uint128)", LONG, 0) == 0
    flagged = "AccountFlaggedForLiquidation(uint128,int256,uint256,uint256,uint256)"
    assert len(logged(receipt, flagged)) == 1


def test_a_large_position_goes_in_windows_that_everybody_shares(market: Exchange) -> None:
    for who, account in ((TRADER, LONG), (OTHER, SHORT)):
        market.open_account(who, account, dollars=12_000, synths=1)
        market.trade(who, account, market.eth, 100 * WAD, 2_000, KEEPER)
    market.set_price("ETH", 1_885)
    # 100 ETH are two windows of 70: the reward holds a second window's cost and the least profit.
    assert market.required(LONG)[2] == 500 * WAD + 3 * WAD
    capacity = ("liquidationCapacity(uint128)", "uint256,uint256,uint256", market.eth.id)
    assert market.numbers(*capacity)[:2] == (70 * WAD, 70 * WAD)

    before = market.dollars(KEEPER)
    market.send(actions.liquidate(market.system, KEEPER, LONG))
    assert market.dollars(KEEPER) - before == 500 * WAD
    assert market.size(LONG, market.eth) == 30 * WAD
    assert market.numbers_in_list("flaggedAccounts()") == [LONG]
    assert market.number("getCollateralAmount(uint128,uint128)", LONG, market.seth.id) == 0

    # Flagged accounts of no capacity: it succeeds, and pays nothing.
    market.anvil.set_next_timestamp(market.now())
    (receipt,) = market.send(actions.liquidate_flagged_accounts(market.system, KEEPER, [LONG]))
    assert logged(receipt, "AccountLiquidationAttempt(uint128,uint256,bool)")
    assert market.dollars(KEEPER) - before == 500 * WAD

    market.anvil.increase_time(2)
    steps = [actions.liquidate_flagged_accounts(market.system, STRANGER, [SHORT, LONG])]
    market.send(*steps)
    assert market.dollars(STRANGER) == 3 * WAD
    assert market.numbers_in_list("flaggedAccounts()") == []
    assert market.size(SHORT, market.eth) == 100 * WAD


def test_a_stranger_earns_by_settling_and_by_cancelling(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=5_000)
    market.trade(TRADER, LONG, market.eth, WAD, 2_000, STRANGER)
    assert market.dollars(STRANGER) == COSTS["settle"] + WAD

    market.commit(TRADER, LONG, market.eth, WAD, limit=2_001 * WAD)
    step = actions.bring_and_settle(
        market.anvil.rpc, market.system, STRANGER, LONG, market.eth, 2_010 * 10**8
    )
    with pytest.raises(TransactionFailedError, match="AcceptablePriceExceeded"):
        market.send(*step)
    market.send(actions.cancel(market.system, STRANGER, LONG))
    assert market.dollars(STRANGER) == COSTS["settle"] + 2 * WAD
    assert market.size(LONG, market.eth) == WAD

    market.commit(TRADER, LONG, market.eth, WAD)
    with pytest.raises(TransactionFailedError, match="PendingOrderExists"):
        market.send(actions.withdraw(market.system, TRADER, LONG, WAD))
    market.anvil.increase_time(121)
    with pytest.raises(TransactionFailedError, match="SettlementWindowExpired"):
        market.send(actions.cancel(market.system, STRANGER, LONG))
    market.send(actions.withdraw(market.system, TRADER, LONG, WAD))


def test_permissions_are_given_for_one_thing_and_end_with_the_owner(market: Exchange) -> None:
    system = market.system
    market.open_account(TRADER, LONG, dollars=1_000)
    market.send(*actions.mint_and_deposit(system, TRADER, LONG, WAD))
    market.send(actions.mint(system, STRANGER, 10 * WAD), actions.approve(system, STRANGER))
    deposit = actions.deposit(system, STRANGER, LONG, WAD)
    order = actions.commit_order(system, STRANGER, LONG, market.eth, WAD)
    with pytest.raises(TransactionFailedError, match="PermissionDenied"):
        market.send(deposit)
    market.send(actions.grant(system, TRADER, LONG, actions.MODIFY_COLLATERAL, STRANGER), deposit)
    with pytest.raises(TransactionFailedError, match="PermissionDenied"):
        market.send(order)
    market.send(
        actions.grant(system, TRADER, LONG, actions.COMMIT_ORDER, STRANGER),
        actions.withdraw(system, STRANGER, LONG, 2 * WAD),
        order,
    )
    market.send(actions.revoke(system, TRADER, LONG, actions.MODIFY_COLLATERAL, STRANGER))
    with pytest.raises(TransactionFailedError, match="PermissionDenied"):
        market.send(deposit)

    market.send(actions.transfer_account(system, TRADER, OTHER, LONG))
    held = ("isAuthorized(uint128,bytes32,address)", LONG, actions.COMMIT_ORDER.encode().ljust(32, b"\0"))
    assert [market.number(*held, who) for who in (TRADER, STRANGER, OTHER)] == [0, 0, 1]
    market.send(actions.grant(system, OTHER, LONG, actions.ADMIN, KEEPER))
    assert market.number(*held, KEEPER) == 1


def test_funding_and_interest_alone_move_the_margin(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=60_000)
    market.trade(TRADER, LONG, market.eth, 200 * WAD, 2_000, KEEPER)
    shape = ("getOpenPosition(uint128,uint128)", "int256,int256,int128,uint256", LONG, market.eth.id)
    market.anvil.mine()
    margin, (_, funding, _, interest) = market.margin(LONG), market.numbers(*shape)
    market.anvil.increase_time(3 * DAY)
    market.anvil.mine()
    _, later_funding, _, later_interest = market.numbers(*shape)
    assert later_funding < funding <= 0 and later_interest > interest >= 0
    assert market.margin(LONG) - margin == later_funding - funding - later_interest + interest
    assert market.margin(LONG) < margin - 10_000 * WAD


def test_a_loss_beyond_the_dollars_becomes_a_debt_that_anyone_may_pay(market: Exchange) -> None:
    system = market.system
    market.open_account(TRADER, LONG, dollars=10, synths=3)
    market.trade(TRADER, LONG, market.eth, 5 * WAD, 2_000, KEEPER)
    market.set_price("ETH", 1_900)
    market.trade(TRADER, LONG, market.eth, -5 * WAD, 1_900, KEEPER)
    owed = market.debt(LONG)
    assert 490 * WAD < owed < 520 * WAD
    assert market.margin(LONG) == times(3 * 1_900 * WAD, WAD - 3 * WAD // 100) - owed
    with pytest.raises(TransactionFailedError, match="InsufficientCollateralAvailableForWithdraw"):
        market.send(actions.withdraw(system, TRADER, LONG, WAD, market.seth))

    market.send(actions.mint(system, STRANGER, 1_000 * WAD), actions.approve(system, STRANGER))
    market.send(actions.pay_debt(system, STRANGER, LONG, 100 * WAD))
    assert market.debt(LONG) == owed - 100 * WAD
    market.send(actions.pay_debt(system, STRANGER, LONG, 900 * WAD))
    assert market.debt(LONG) == 0 and market.dollars(STRANGER) == 1_000 * WAD - owed
    market.send(actions.withdraw(system, TRADER, LONG, 3 * WAD, market.seth))


def test_collateral_that_no_longer_covers_its_debt_is_liquidated_alone(market: Exchange) -> None:
    system = market.system
    market.open_account(TRADER, LONG, synths=1)
    market.trade(TRADER, LONG, market.eth, 5 * WAD, 2_000, KEEPER)
    market.set_price("ETH", 1_800)
    market.trade(TRADER, LONG, market.eth, -5 * WAD, 1_800, KEEPER)
    can = ("canLiquidateMarginOnly(uint128)", LONG)
    assert market.debt(LONG) > 1_000 * WAD and market.number(*can) == 0
    with pytest.raises(TransactionFailedError, match="NotEligibleForMarginLiquidation"):
        market.send(actions.liquidate_margin_only(system, STRANGER, LONG))

    # Worth a few dollars more than its debt, which is less than the reward.
    dollars = (market.debt(LONG) + 5 * WAD) * 100 // 98 // WAD
    market.set_price("ETH", dollars)
    assert 0 < market.margin(LONG) < 10 * WAD
    assert market.number(*can) == 1 and not market.is_liquidatable(LONG)
    market.send(actions.liquidate_margin_only(system, STRANGER, LONG))
    assert market.dollars(STRANGER) == dollars * WAD // 100 + COSTS["flag"] + COSTS["liquidate"]
    assert market.debt(LONG) == 0 and market.numbers_in_list("getAccountCollateralIds(uint128)", LONG) == []


def test_without_positions_a_margin_below_zero_is_liquidatable_like_any(market: Exchange) -> None:
    market.open_account(TRADER, LONG, synths=1)
    market.trade(TRADER, LONG, market.eth, 5 * WAD, 2_000, KEEPER)
    market.set_price("ETH", 1_800)
    market.trade(TRADER, LONG, market.eth, -5 * WAD, 1_800, KEEPER)
    market.set_price("ETH", 900)
    assert market.required(LONG) == (0, 0, 0) and market.margin(LONG) < 0
    assert market.is_liquidatable(LONG)
    market.send(actions.liquidate(market.system, STRANGER, LONG))
    assert market.dollars(STRANGER) == 9 * WAD + COSTS["flag"] + COSTS["liquidate"]
    assert market.debt(LONG) == 0 and market.numbers_in_list("flaggedAccounts()") == []


def test_a_shut_market_refuses_what_its_views_still_promise(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=2_500)
    market.trade(TRADER, LONG, market.eth, 10 * WAD, 2_000, KEEPER)
    market.set_price("ETH", 1_785)
    market.send(actions.set_open(market.system, False))
    assert market.is_liquidatable(LONG)
    with pytest.raises(TransactionFailedError, match="FeatureUnavailable"):
        market.send(actions.liquidate(market.system, KEEPER, LONG))
    market.send(actions.set_open(market.system, True), actions.liquidate(market.system, KEEPER, LONG))
    assert market.size(LONG, market.eth) == 0
