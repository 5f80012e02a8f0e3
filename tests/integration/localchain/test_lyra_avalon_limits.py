"""What halts Lyra Avalon or passes by itself: frozen boards, pauses, rates, stale Greeks, the end of trade,
time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.localchain import lyra_avalon_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.lyra_avalon_market import AvalonOption
from keeper.localchain.lyra_avalon_parameters import HOUR, WAD, WEEK
from keeper.localchain.transactions import TransactionFailedError
from tests.conftest import GENESIS
from tests.support.avalon_exchange import TOTAL_COST, AvalonExchange, avalon_exchange, trade_words

pytestmark = pytest.mark.integration

TRADER, KEEPER, STRANGER = ACCOUNTS[1], ACCOUNTS[3], "0x" + "5e" * 20
_, _, BASE_CALL, QUOTE_CALL, QUOTE_PUT = AvalonOption


@pytest.fixture(scope="module")
def session() -> Iterator[AvalonExchange]:
    with avalon_exchange(GENESIS) as running:
        yield running


@pytest.fixture
def market(session: AvalonExchange) -> Iterator[AvalonExchange]:
    """A trader with money; what a test does is undone."""
    snapshot = session.anvil.snapshot()
    session.fund(TRADER, dollars=100_000, ether=100)
    yield session
    session.anvil.revert(snapshot)


def test_what_is_shut_refuses_liquidation_that_the_view_still_promises(market: AvalonExchange) -> None:
    system = market.system
    short = market.open(TRADER, QUOTE_CALL, WAD, 900 * WAD)
    market.set_spot(2_600)
    take = actions.liquidate_position(system, KEEPER, short)
    add = actions.add_collateral(system, TRADER, short, WAD)

    market.send(actions.freeze_board(system, market.board))
    assert market.is_liquidatable(short)
    with pytest.raises(TransactionFailedError, match="BoardIsFrozen"):
        market.send(take)
    market.send(add, actions.freeze_board(system, market.board, False), actions.pause_market(system))
    with pytest.raises(TransactionFailedError, match="MarketIsPaused"):
        market.send(take)
    market.send(add, actions.pause_market(system, False), actions.set_spot(system, 2_600 * WAD, invalid=True))
    with pytest.raises(TransactionFailedError, match="RateIsInvalid"):
        market.send(take)
    market.send(add, actions.set_spot(system, 2_600 * WAD), actions.pause_all(system))
    for refused in (take, add):
        with pytest.raises(TransactionFailedError, match="AllMarketsPaused"):
            market.send(refused)
    market.send(actions.pause_all(system, False), take)


def test_a_short_that_holds_base_is_liquidated_only_while_base_can_be_exchanged(
    market: AvalonExchange,
) -> None:
    system = market.system
    base = market.open(TRADER, BASE_CALL, WAD, 35 * WAD // 100)
    quote = market.open(TRADER, QUOTE_CALL, WAD, 900 * WAD)
    market.set_spot(2_600)
    market.send(actions.stop_exchange(system), actions.liquidate_position(system, KEEPER, quote))
    take = actions.liquidate_position(system, KEEPER, base)
    assert market.is_liquidatable(base)
    with pytest.raises(TransactionFailedError, match="ReceivedZeroFromExchange"):
        market.send(take)
    market.send(actions.stop_exchange(system, False), take)


def test_cached_greeks_grow_stale_and_neither_hinder_liquidation_nor_enter_the_minimum(
    market: AvalonExchange,
) -> None:
    system, cache = market.system, market.system.greek_cache
    short = market.open(TRADER, QUOTE_CALL, WAD, 900 * WAD)
    stale = (cache, "isBoardCacheStale(uint256)", "bool", market.board.id)
    assert market.numbers(*stale) == (False,)
    market.set_spot(2_300)
    assert market.numbers(*stale) == (True,)
    market.anvil.set_next_timestamp(market.now())
    minimum = market.minimum(short)
    market.send(actions.update_greeks(system, STRANGER, market.board))
    assert market.numbers(*stale) == (False,) and market.minimum(short) == minimum
    market.set_spot(2_600)
    assert market.numbers(*stale) == (True,)
    market.send(actions.liquidate_position(system, KEEPER, short))


def test_trade_ends_before_expiry_and_closing_by_force_costs_more(market: AvalonExchange) -> None:
    system, strike = market.system, market.strike
    short = market.open(TRADER, QUOTE_CALL, 2 * WAD, 2_000 * WAD)
    market.wait(market.board.expiry - market.now() - 6 * HOUR)
    close = (system, TRADER, strike, QUOTE_CALL, short, WAD, 1_000 * WAD)
    with pytest.raises(TransactionFailedError, match="TradingCutoffReached"):
        market.send(actions.close_position(*close))
    (receipt,) = market.send(actions.force_close(*close))
    assert trade_words(receipt)[TOTAL_COST] > 20 * WAD
    market.set_spot(2_700)
    assert market.is_liquidatable(short)
    market.send(actions.liquidate_position(system, STRANGER, short))
    assert market.dollars(STRANGER) > 0


def test_a_frozen_board_is_settled_before_its_time_by_the_owner(market: AvalonExchange) -> None:
    system = market.system
    short = market.open(TRADER, QUOTE_PUT, WAD, 900 * WAD)
    with pytest.raises(TransactionFailedError, match="BoardNotFrozen"):
        market.send(actions.force_settle_board(system, market.board))
    market.send(actions.freeze_board(system, market.board), actions.force_settle_board(system, market.board))
    before = market.dollars(TRADER)
    market.send(actions.settle_options(system, STRANGER, [short]))
    assert market.dollars(TRADER) - before == 900 * WAD


def test_time_alone_moves_the_minimum(market: AvalonExchange) -> None:
    short = market.open(TRADER, QUOTE_CALL, WAD, 900 * WAD)
    minimum = market.minimum(short)
    market.wait(WEEK)
    # Nearer to expiry the shock is greater: less than its time is worth.
    later = market.minimum(short)
    assert 0 < minimum - later < 100 * WAD
    market.wait(3 * WEEK)
    # From expiry on a second is left, for ever.
    assert 0 <= market.minimum(short) - 400 * WAD < 10_000
    expired = market.minimum(short)
    market.wait(WEEK)
    assert market.minimum(short) == expired
