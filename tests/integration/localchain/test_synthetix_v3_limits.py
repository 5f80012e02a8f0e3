"""What Synthetix v3's owner and its backers can narrow: sizes, ways of settling, costs and credit; and synths
bought at the spot market are collateral."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.localchain import synthetix_v3_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.synthetix_v3_market import WAD
from keeper.localchain.transactions import TransactionFailedError
from tests.conftest import GENESIS
from tests.support.synthetix_exchange import Exchange, exchange
from tests.support.views import view_int

pytestmark = pytest.mark.integration

TRADER, KEEPER = ACCOUNTS[1], ACCOUNTS[3]
ACCOUNT = 7


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


def test_a_synth_is_bought_at_the_spot_market_and_counts_with_its_discount(market: Exchange) -> None:
    system, rpc = market.system, market.anvil.rpc
    market.open_account(TRADER, ACCOUNT)
    market.send(
        actions.mint(system, TRADER, 2_000 * WAD),
        *actions.buy_synth(system, TRADER, market.seth, 2_000 * WAD),
    )
    bought = view_int(rpc, market.seth.token, "balanceOf(address)", TRADER)
    # Its own skew makes the first synth of a scale of 100 a little dearer than the feed says.
    assert 99 * WAD // 100 < bought < WAD
    market.send(
        actions.approve(system, TRADER, market.seth),
        actions.deposit(system, TRADER, ACCOUNT, bought, market.seth),
    )
    value = bought * 2_000
    assert market.number("totalCollateralValue(uint128)", ACCOUNT) == value
    assert market.margin(ACCOUNT) == value * 98 // 100
    # A fifth of the scale would be a fifth off: the limit is a tenth.
    market.send(*actions.mint_and_deposit(system, TRADER, ACCOUNT, 20 * WAD, market.seth))
    assert market.margin(ACCOUNT) == (bought + 20 * WAD) * 2_000 * 9 // 10


def test_a_full_market_only_lets_positions_shrink(market: Exchange) -> None:
    system = market.system
    market.open_account(TRADER, ACCOUNT, dollars=5_000)
    market.trade(TRADER, ACCOUNT, market.eth, 2 * WAD, 2_000, KEEPER)
    market.send(actions.set_market_size(system, market.eth, 0))
    with pytest.raises(TransactionFailedError, match="MaxOpenInterestReached"):
        market.send(actions.commit_order(system, TRADER, ACCOUNT, market.eth, WAD))
    market.trade(TRADER, ACCOUNT, market.eth, -WAD, 2_000, KEEPER)
    assert market.size(ACCOUNT, market.eth) == WAD


def test_an_order_whose_settlement_is_switched_off_holds_its_account_until_it_expires(
    market: Exchange,
) -> None:
    system = market.system
    market.open_account(TRADER, ACCOUNT, dollars=5_000)
    market.commit(TRADER, ACCOUNT, market.eth, WAD)
    step = actions.bring_and_settle(market.anvil.rpc, system, KEEPER, ACCOUNT, market.eth, 2_000 * 10**8)
    market.send(actions.set_settlement(system, market.eth, False), step[0])
    for refused in (step[1], actions.cancel(system, KEEPER, ACCOUNT)):
        with pytest.raises(TransactionFailedError, match="InvalidSettlementStrategy"):
            market.send(refused)
    add = actions.mint_and_deposit(system, TRADER, ACCOUNT, WAD)
    with pytest.raises(TransactionFailedError, match="PendingOrderExists"):
        market.send(*add)
    market.anvil.increase_time(121)
    market.send(*add)


def test_without_credit_positions_cannot_grow_and_a_waiting_order_is_cancelled(market: Exchange) -> None:
    system = market.system
    market.open_account(TRADER, ACCOUNT, dollars=5_000)
    market.commit(TRADER, ACCOUNT, market.eth, WAD)
    market.send(actions.set_credit(system, 5_500 * WAD))
    step = actions.bring_and_settle(market.anvil.rpc, system, KEEPER, ACCOUNT, market.eth, 2_000 * 10**8)
    with pytest.raises(TransactionFailedError, match="ExceedsMarketCreditCapacity"):
        market.send(*step)
    market.send(actions.cancel(system, KEEPER, ACCOUNT))
    assert market.dollars(KEEPER) == WAD


def test_a_keepers_costs_move_what_is_required_and_what_is_paid(market: Exchange) -> None:
    market.open_account(TRADER, ACCOUNT, dollars=2_500)
    market.trade(TRADER, ACCOUNT, market.eth, 10 * WAD, 2_000, KEEPER)
    before = market.required(ACCOUNT)
    market.send(actions.set_costs(market.system, 0, 30 * WAD, 40 * WAD))
    after = market.required(ACCOUNT)
    # One feed to flag, one window: they cost 70 dollars now, instead of one and a half.
    assert [b - a for a, b in zip(before, after, strict=True)] == [137 * WAD // 2] * 3
    market.set_price("ETH", 1_785)
    earned = market.dollars(KEEPER)
    market.send(actions.liquidate(market.system, KEEPER, ACCOUNT))
    assert market.dollars(KEEPER) - earned == 17_850 * WAD // 100 + 70 * WAD
    # Nothing of it is left among the flagged: taking on the first of them pays nothing.
    market.send(actions.liquidate_flagged(market.system, KEEPER, 5))
    assert market.dollars(KEEPER) - earned == 17_850 * WAD // 100 + 70 * WAD
