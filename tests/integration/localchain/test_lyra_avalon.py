"""Lyra Avalon is deployed whole: options are opened, break, are liquidated, expire and settle by its own
rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.localchain import lyra_avalon_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import view
from keeper.localchain.lyra_avalon_market import AvalonOption
from keeper.localchain.lyra_avalon_parameters import WAD
from keeper.localchain.rpc import Json, as_list, as_str
from keeper.localchain.transactions import TransactionFailedError
from tests.conftest import GENESIS
from tests.support.avalon_exchange import (
    INSOLVENT,
    LIQUIDATOR_FEE,
    RETURNED,
    TOTAL_COST,
    AvalonExchange,
    PositionState,
    PositionUpdate,
    avalon_exchange,
    trade_words,
)
from tests.support.synthetix_exchange import logged

pytestmark = pytest.mark.integration

TRADER, OTHER, KEEPER, STRANGER = *ACCOUNTS[1:4], "0x" + "5e" * 20
LONG_CALL, LONG_PUT, BASE_CALL, QUOTE_CALL, QUOTE_PUT = AvalonOption
UPDATED = "PositionUpdated(uint256,address,uint8,(uint256,uint256,uint8,uint256,uint256,uint8),uint256)"


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


def updates(receipt: dict[str, Json]) -> list[tuple[int, str, int]]:
    """Position, owner and kind of change of every update in a receipt."""
    topics = [[as_str(each) for each in as_list(log["topics"])] for log in logged(receipt, UPDATED)]
    return [(int(number, 16), "0x" + owner[26:], int(kind, 16)) for _, number, owner, kind in topics]


def times(a: int, b: int) -> int:
    return a * b // WAD


def rounded_down(a: int, b: int) -> int:
    """a / b scaled 1e18."""
    return a * WAD // b


def rounded(a: int, b: int) -> int:
    """a / b scaled 1e18, half up."""
    return (a * WAD * 10 // b + 5) // 10


@pytest.mark.parametrize(
    ("kind", "collateral"),
    [
        (LONG_CALL, 0), (LONG_PUT, 0), (BASE_CALL, WAD), (QUOTE_CALL, 1_600 * WAD), (QUOTE_PUT, 1_500 * WAD),
    ],
)  # fmt: skip
def test_a_position_of_each_kind_is_opened_and_told_of(
    market: AvalonExchange, kind: AvalonOption, collateral: int
) -> None:
    dollars, ether = market.dollars(TRADER), market.ether(TRADER)
    (receipt,) = market.send(
        actions.open_position(market.system, TRADER, market.strike, kind, 2 * WAD, collateral)
    )
    assert updates(receipt) == [(1, TRADER.lower(), PositionUpdate.OPENED)]
    held = market.position(1)
    assert (held.kind, held.strike, held.amount, held.collateral) == (kind, 2, 2 * WAD, collateral)
    assert held.state == PositionState.ACTIVE and not market.is_liquidatable(1)

    premium = trade_words(receipt)[TOTAL_COST]
    assert 150 * WAD < premium < 600 * WAD
    assert market.ether(TRADER) - ether == (-collateral if kind is BASE_CALL else 0)
    paid = {BASE_CALL: -premium, QUOTE_CALL: collateral - premium, QUOTE_PUT: collateral - premium}
    assert dollars - market.dollars(TRADER) == paid.get(kind, premium)


def test_eight_slots_of_the_market_hold_the_contracts_that_no_view_tells(market: AvalonExchange) -> None:
    at = market.system
    held = [at.adapter, at.pool, at.pricer, at.greek_cache, at.short_collateral, at.token, at.quote, at.base]
    slots = [
        market.anvil.rpc.text("eth_getStorageAt", at.market, hex(slot), "latest") for slot in range(3, 11)
    ]
    assert ["0x" + each[26:] for each in slots] == [each.lower() for each in held]


def test_the_minimum_has_a_floor_and_ends_where_all_is_covered(market: AvalonExchange) -> None:
    small = WAD // 20
    base = market.open(TRADER, BASE_CALL, small, small)
    put = market.open(TRADER, QUOTE_PUT, small, times(market.strike.price, small))
    call = market.open(TRADER, QUOTE_CALL, small, 200 * WAD)
    for spot in (200, 2_000, 20_000):
        assert market.minimum(base, spot * WAD) == small
        assert market.minimum(put, spot * WAD) == 100 * WAD
    assert market.minimum(call, 200 * WAD) == market.minimum(call, 2_000 * WAD) == 200 * WAD
    assert market.minimum(call, 20_000 * WAD) > 1_000 * WAD
    market.set_spot(10_000)
    assert [market.is_liquidatable(each) for each in (base, put, call)] == [False, False, True]


@pytest.mark.parametrize(
    ("kind", "collateral", "last", "first"),
    [
        (BASE_CALL, 35 * WAD // 100, 2_100, 2_300),
        (QUOTE_CALL, 900 * WAD, 2_100, 2_300),
        (QUOTE_PUT, 900 * WAD, 1_600, 1_400),
    ],
)
def test_a_move_of_spot_makes_a_short_liquidatable_and_the_keeper_is_paid(
    market: AvalonExchange, kind: AvalonOption, collateral: int, last: int, first: int
) -> None:
    system = market.system
    short = market.open(TRADER, kind, WAD, collateral)
    take = actions.liquidate_position(system, KEEPER, short, beneficiary=STRANGER)
    market.set_spot(last)
    assert not market.is_liquidatable(short) and market.minimum(short) < collateral
    with pytest.raises(TransactionFailedError, match="PositionNotLiquidatable"):
        market.send(take)
    market.set_spot(first)
    assert market.is_liquidatable(short) and market.minimum(short) > collateral

    balance = market.ether if kind is BASE_CALL else market.dollars
    before = balance(TRADER)
    (receipt,) = market.send(take)
    told = trade_words(receipt)
    price, least, multiplier = told[TOTAL_COST], 15 * WAD, WAD
    if kind is BASE_CALL:
        multiplier = first * WAD
        price = rounded(rounded(price, WAD - 75 * WAD // 10_000), multiplier)
        least = least * WAD // multiplier
    signature = "getLiquidationFees(uint256,uint256,uint256,uint256)"
    fees = market.numbers(
        system.token, signature, ",".join(6 * ["uint256"]), price, collateral, least, multiplier
    )
    assert balance(STRANGER) == fees[3] == told[LIQUIDATOR_FEE] > 0
    assert balance(TRADER) - before == fees[0] == told[RETURNED] > 0
    penalty = times(collateral - price, WAD // 5)
    assert fees[3] == times(max(penalty, least), 2 * WAD // 5)

    assert updates(receipt) == [(short, TRADER.lower(), PositionUpdate.LIQUIDATED)]
    assert market.position(short).state == PositionState.LIQUIDATED and not market.is_liquidatable(short)
    assert market.numbers(system.token, "balanceOf(address)", "uint256", TRADER) == (0,)
    with pytest.raises(TransactionFailedError, match="nonexistent token"):
        market.send(take)


def test_an_insolvent_short_pays_the_liquidator_a_share_of_the_least_penalty(market: AvalonExchange) -> None:
    short = market.open(TRADER, QUOTE_CALL, WAD, 900 * WAD)
    market.set_spot(4_000)
    (receipt,) = market.send(actions.liquidate_position(market.system, STRANGER, short))
    told = trade_words(receipt)
    assert told[LIQUIDATOR_FEE] == market.dollars(STRANGER) == 6 * WAD
    assert told[INSOLVENT] == told[TOTAL_COST] + 15 * WAD - 900 * WAD > 1_000 * WAD


def test_anyone_adds_collateral_and_the_owner_takes_out_what_is_not_needed(market: AvalonExchange) -> None:
    system = market.system
    short = market.open(TRADER, BASE_CALL, WAD, 35 * WAD // 100)
    market.set_spot(2_300)
    assert market.is_liquidatable(short)
    market.fund(STRANGER, ether=1)
    (receipt,) = market.send(actions.add_collateral(system, STRANGER, short, WAD // 20))
    assert updates(receipt) == [(short, TRADER.lower(), PositionUpdate.ADJUSTED)]
    assert not market.is_liquidatable(short) and market.position(short).collateral == 40 * WAD // 100

    def leave(collateral: int) -> None:
        market.send(
            actions.open_position(system, TRADER, market.strike, BASE_CALL, 0, collateral, position=short)
        )

    with pytest.raises(TransactionFailedError, match="AdjustmentResultsInMinimumCollateralNotBeingMet"):
        leave(37 * WAD // 100)
    leave(39 * WAD // 100)
    assert market.position(short).collateral == 39 * WAD // 100
    bought = market.open(TRADER, LONG_CALL, WAD)
    with pytest.raises(TransactionFailedError, match="AddingCollateralToInvalidPosition"):
        market.send(actions.add_collateral(system, STRANGER, bought, WAD))


def test_positions_are_handed_over_split_merged_and_closed_by_whom_their_owner_approves(
    market: AvalonExchange,
) -> None:
    system, strike = market.system, market.strike
    short = market.open(TRADER, QUOTE_PUT, 2 * WAD, 3_000 * WAD)
    (split,) = market.send(actions.split_position(system, TRADER, short, WAD, 1_200 * WAD, OTHER))
    assert updates(split) == [
        (2, OTHER.lower(), PositionUpdate.SPLIT_INTO),
        (1, TRADER.lower(), PositionUpdate.SPLIT_FROM),
    ]
    (moved,) = market.send(actions.transfer_position(system, OTHER, TRADER, 2))
    assert updates(moved) == [(2, TRADER.lower(), PositionUpdate.TRANSFER)]
    (merged,) = market.send(actions.merge_positions(system, TRADER, [2, 1]))
    assert updates(merged) == [
        (1, TRADER.lower(), PositionUpdate.MERGED),
        (2, TRADER.lower(), PositionUpdate.MERGED_INTO),
    ]
    held = market.position(2)
    assert (held.amount, held.collateral) == (2 * WAD, 3_000 * WAD)
    assert market.position(1).state == PositionState.MERGED

    close = actions.close_position(system, OTHER, strike, QUOTE_PUT, 2, WAD, 1_500 * WAD)
    with pytest.raises(TransactionFailedError, match="OnlyOwnerCanAdjustPosition"):
        market.send(close)
    *_, closed, _ = market.send(
        actions.approve_position(system, TRADER, OTHER, 2),
        actions.transfer_position(system, TRADER, OTHER, 2, by=OTHER),
        close,
        actions.transfer_position(system, OTHER, TRADER, 2),
    )
    held, cost = market.position(2), trade_words(closed)[TOTAL_COST]
    assert (held.amount, held.collateral) == (WAD, 1_500 * WAD)
    assert market.dollars(OTHER) == 1_500 * WAD - cost > 1_000 * WAD
    (whole,) = market.send(actions.close_position(system, TRADER, strike, QUOTE_PUT, 2, WAD))
    assert updates(whole) == [(2, TRADER.lower(), PositionUpdate.CLOSED)]


def test_a_board_expires_and_settles_at_the_spot_of_the_block_that_settles_it(market: AvalonExchange) -> None:
    system = market.system
    kinds = {LONG_CALL: 0, LONG_PUT: 0, BASE_CALL: WAD // 2, QUOTE_CALL: 900 * WAD, QUOTE_PUT: 900 * WAD}
    held = {kind: market.open(TRADER, kind, WAD, collateral) for kind, collateral in kinds.items()}
    short = held[QUOTE_CALL]
    settle = actions.settle_options(system, STRANGER, list(held.values()))
    with pytest.raises(TransactionFailedError, match="BoardNotExpired"):
        market.send(actions.settle_board(system, STRANGER, market.board))
    market.wait(market.board.expiry - market.now() + 1)
    market.set_spot(2_600)

    # The view says that it breaks, and the market no longer liquidates.
    assert market.is_liquidatable(short)
    with pytest.raises(TransactionFailedError, match="BoardExpired"):
        market.send(actions.liquidate_position(system, KEEPER, short))
    with pytest.raises(TransactionFailedError, match="CannotUpdateExpiredBoard"):
        market.send(actions.update_greeks(system, STRANGER, market.board))
    with pytest.raises(TransactionFailedError, match="BoardMustBeSettled"):
        market.send(settle)
    market.send(actions.add_collateral(system, TRADER, short, WAD))

    # Nobody settled at 2,600.
    market.set_spot(2_400)
    market.send(actions.settle_board(system, STRANGER, market.board))
    market.set_spot(2_600)
    assert view(market.anvil.rpc, system.market, "getLiveBoards()", (), "uint256[]") == ((2,),)
    assert market.is_liquidatable(short)
    refusals = {
        "BoardAlreadySettled": actions.liquidate_position(system, KEEPER, short),
        "StrikeIsSettled": actions.add_collateral(system, TRADER, short, WAD),
    }
    for reason, refused in refusals.items():
        with pytest.raises(TransactionFailedError, match=reason):
            market.send(refused)

    dollars, ether = market.dollars(TRADER), market.ether(TRADER)
    (receipt,) = market.send(settle)
    assert updates(receipt) == [(number, TRADER.lower(), PositionUpdate.SETTLED) for number in held.values()]
    assert market.dollars(TRADER) - dollars == (400 + 901 - 400 + 900) * WAD
    # Base goes back less what the profit costs at the fee of selling it.
    profit = rounded_down(rounded_down(400 * WAD, 2_400 * WAD), WAD - 75 * WAD // 10_000)
    assert market.ether(TRADER) - ether == WAD // 2 - profit
    with pytest.raises(TransactionFailedError, match="nonexistent token"):
        market.send(settle)
