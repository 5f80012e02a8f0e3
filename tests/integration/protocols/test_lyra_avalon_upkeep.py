"""What upkeep of a real Avalon says is due succeeds when it is sent, and what is not due is not listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import lyra_avalon_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import AvalonOption, BoardSpec, LocalBoard, StrikeSpec
from keeper.localchain.lyra_avalon_parameters import HOUR, WAD
from keeper.localchain.rpc import as_int
from keeper.localchain.transactions import TransactionFailedError, Tx, send_batch
from keeper.model.chore import Chore
from keeper.protocols.lyra_avalon.planning import number
from keeper.protocols.lyra_avalon.upkeep import TOO_LATE, jobs, owed
from keeper.service.markets import Market
from tests.conftest import GENESIS
from tests.support.avalon_exchange import BOARDS, AvalonExchange, PositionState
from tests.support.keeping import reading, valued
from tests.support.views import view_int

pytestmark = pytest.mark.integration

TRADER, OTHER = ACCOUNTS[1:3]
STALE = "isBoardCacheStale(uint256)"
LONGS = (AvalonOption.LONG_CALL, AvalonOption.LONG_PUT)
SHORTS = {
    AvalonOption.SHORT_CALL_BASE: 45 * WAD // 100,
    AvalonOption.SHORT_CALL_QUOTE: 1_000 * WAD,
    AvalonOption.SHORT_PUT_QUOTE: 1_000 * WAD,
}


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        # A block a second, so that it is known in which one something is sent.
        running.set_timestamp_interval(1)
        yield running


@pytest.fixture
def market(anvil: Anvil) -> AvalonExchange:
    found = AvalonExchange(anvil, deploy(anvil.rpc, BOARDS))
    found.fund(TRADER, dollars=200_000, ether=100)
    return found


def made(market: AvalonExchange, tmp_path: Path) -> Market:
    toml = f'protocol = "lyra-avalon"\naddress = "{market.system.market}"\nunknown_oracles = "act"'
    return reading(market.anvil, toml, tmp_path)


@pytest.fixture
def run(market: AvalonExchange, tmp_path: Path) -> Market:
    return made(market, tmp_path)


def due(market: AvalonExchange, run: Market, most: int = 50) -> list[Chore]:
    """In a block right after the last."""
    valued(run)
    accounts = dict(run.book.accounts)
    return jobs(market.system.market, run.book.state, accounts, market.now() + 1, most)


def sent(market: AvalonExchange, job: Chore) -> int:
    """The gas that it took, of which the job allows no more than it says."""
    tx: Tx = {"from": OTHER, "to": job.target, "data": "0x" + job.data.hex(), "gas": job.gas}
    [receipt] = send_batch(market.anvil.rpc, [tx], market.system.errors)
    return as_int(receipt["gasUsed"])


def wait(market: AvalonExchange, seconds: int) -> None:
    market.anvil.set_timestamp_interval(seconds)
    market.anvil.mine()
    market.anvil.set_timestamp_interval(1)


def named(found: list[Chore]) -> list[str]:
    return [each.name for each in found]


def stale(market: AvalonExchange, board: LocalBoard) -> bool:
    return bool(view_int(market.anvil.rpc, market.system.greek_cache, STALE, board.id))


def opened(market: AvalonExchange, rounds: int = 1) -> list[int]:
    found = []
    for _ in range(rounds):
        found += [market.open(TRADER, kind, WAD) for kind in LONGS]
        found += [market.open(TRADER, kind, WAD, put) for kind, put in SHORTS.items()]
    return found


def expired(market: AvalonExchange, spot: int) -> None:
    market.set_spot(spot)
    wait(market, market.board.expiry - market.now())


def test_greeks_are_due_exactly_while_the_contract_calls_them_stale(
    market: AvalonExchange, run: Market
) -> None:
    seen = set()
    for spot, seconds in ((2_000, 1), (2_099, 1), (2_101, 1), (2_101, 3 * HOUR), (1_996, 1), (1_994, 1)):
        market.set_spot(spot)
        wait(market, seconds)
        found = due(market, run)
        assert all(each.name == "update Greeks" for each in found)
        # As the view has it in the block in which they would be sent.
        wait(market, 1)
        boards = [each for each in market.system.boards if stale(market, each)]
        assert [each.data for each in found] == [
            bytes.fromhex(calldata("updateBoardCachedGreeks(uint256)", each.id)[2:]) for each in boards
        ]
        for job in found:
            sent(market, job)
        assert not any(stale(market, each) for each in market.system.boards)
        seen.add(len(found))
    assert seen == {0, 2}


def test_an_expired_board_is_settled_at_the_spot_of_that_block_and_then_its_positions(
    market: AvalonExchange, run: Market
) -> None:
    positions = opened(market)
    expired(market, 2_100)
    found = due(market, run)
    assert named(found) == ["settle board", "update Greeks"] and "spot of the block" in found[0].why
    for job in found:
        sent(market, job)
    price = view_int(market.anvil.rpc, market.system.market, "boardToPriceAtExpiry(uint256)", market.board.id)
    assert price == 2_100 * WAD
    market.set_spot(1_000)
    [pays, *others] = due(market, run)
    assert named([pays]) == ["settle positions"] and "update Greeks" in named(others)
    assert run.book.state.care.settled == {market.board.id: price}
    sent(market, pays)
    assert {market.position(each).state for each in positions} == {PositionState.SETTLED}
    assert "settle positions" not in named(due(market, run))


def test_a_second_before_expiry_nothing_is_settled_nor_brought_up_to_date(
    market: AvalonExchange, run: Market
) -> None:
    wait(market, market.board.expiry - market.now() - TOO_LATE - 3)
    assert len(due(market, run)) == len(market.system.boards) == 2
    wait(market, TOO_LATE + 1)
    [other] = due(market, run)
    assert "board 2" in other.why
    wait(market, 1)
    [first, *_] = due(market, run)
    assert first.name == "settle board"
    sent(market, first)


@pytest.mark.parametrize("spot", [400, 8_000], ids=["puts", "calls"])
def test_who_owes_more_than_he_has_is_settled_first_and_so_all_can_be_paid(
    market: AvalonExchange, run: Market, spot: int
) -> None:
    positions = opened(market, rounds=2)
    expired(market, spot)
    sent(market, due(market, run)[0])
    found = [each for each in due(market, run, most=3) if each.name == "settle positions"]
    insolvent = [each for each in found if "owe more" in each.why]
    assert insolvent and found[: len(insolvent)] == insolvent and len(found) > len(insolvent)
    state, price = run.book.state, spot * WAD
    short = {
        number(key) for key, raw in run.book.accounts.items() if raw.collateral < owed(state, raw, price)
    }
    assert len(short) > 1
    # Whom the vault can pay only with what comes back for the first is listed after that.
    while found:
        for job in found:
            sent(market, job)
        found = [each for each in due(market, run, most=3) if each.name == "settle positions"]
    assert {market.position(each).state for each in positions} == {PositionState.SETTLED}


def test_nothing_is_due_while_the_market_is_paused_or_has_no_price(
    market: AvalonExchange, run: Market
) -> None:
    opened(market)
    expired(market, 2_100)
    for stop, go in (
        (act.pause_market(market.system), act.pause_market(market.system, paused=False)),
        (act.pause_all(market.system), act.pause_all(market.system, paused=False)),
        (act.set_spot(market.system, WAD, invalid=True), act.set_spot(market.system, 2_100 * WAD)),
    ):
        [settle, *_] = due(market, run)
        market.send(stop)
        assert due(market, run) == []
        with pytest.raises(TransactionFailedError):
            sent(market, settle)
        market.send(go)


def test_gas_is_enough_for_many_strikes_and_positions(anvil: Anvil, tmp_path: Path) -> None:
    many = (BoardSpec(tuple(StrikeSpec((1_800 + 50 * at) * WAD) for at in range(12))),)
    market = AvalonExchange(anvil, deploy(anvil.rpc, many))
    market.fund(TRADER, dollars=200_000, ether=100)
    run = made(market, tmp_path)
    for strike in market.board.strikes:
        for kind in LONGS:
            market.send(act.open_position(market.system, TRADER, strike, kind, WAD // 10))
        for kind, put in SHORTS.items():
            market.send(act.open_position(market.system, TRADER, strike, kind, WAD // 10, put))
    market.set_spot(2_500)
    for round_ in ("update Greeks", "settle board", "settle positions"):
        found = due(market, run)
        assert set(named(found)) == {round_}
        for job in found:
            # A call that is given much more than it takes crowds others out of a budget.
            assert 0.4 * job.gas < sent(market, job) < 0.9 * job.gas
        if round_ == "update Greeks":
            expired(market, 2_500)
    assert due(market, run) == []


def test_whom_the_vault_lacks_a_unit_for_is_left_out_until_somebody_gives_some(
    market: AvalonExchange, run: Market
) -> None:
    """What the pool takes of all calls together is rounded once, what each owes by itself."""
    for amount in (WAD // 3, WAD // 7, WAD // 3 + 1):
        market.open(TRADER, AvalonOption.SHORT_CALL_BASE, amount, amount)
    expired(market, 2_500)
    sent(market, due(market, run)[0])
    system = market.system
    for job in due(market, run):
        sent(market, job)
    states = {key: market.position(number(key)).state for key in run.book.accounts}
    [left] = [number(key) for key, state in states.items() if state is PositionState.ACTIVE]
    assert "settle positions" not in named(due(market, run))
    with pytest.raises(TransactionFailedError, match="OutOfBaseCollateral"):
        market.send(act.settle_options(system, OTHER, [left]))
    data = calldata("mint(address,uint256)", system.short_collateral, 2)
    market.send({"from": system.owner, "to": system.base, "data": data})
    [job] = [each for each in due(market, run) if each.name == "settle positions"]
    sent(market, job)
