"""Unpaid upkeep of Lyra Avalon in a keeper's hands: off by default, and within a gas budget of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import lyra_avalon_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import AvalonOption
from keeper.localchain.lyra_avalon_parameters import HOUR, WAD
from keeper.localchain.transactions import Tx
from keeper.store.tables.journal import Intent
from tests.conftest import GENESIS
from tests.support.avalon_exchange import BOARDS, AvalonExchange, PositionState
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping
from tests.support.views import view_int

pytestmark = pytest.mark.integration

TRADER, OTHER = ACCOUNTS[1:3]
PUT, LONG = AvalonOption.SHORT_PUT_QUOTE, AvalonOption.LONG_CALL


@pytest.fixture
def market() -> Iterator[AvalonExchange]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = AvalonExchange(anvil, deploy(anvil.rpc, BOARDS))
        made.fund(TRADER, dollars=100_000, ether=100)
        yield made


def watched(market: AvalonExchange, folder: Path, budget: str, oracles: str = "act") -> Keeping:
    toml = f'protocol = "lyra-avalon"\naddress = "{market.system.market}"\nunknown_oracles = "{oracles}"'
    given = f'\nlyra_avalon.upkeep_gas_per_day = "{budget}"' if budget else ""
    k = keeping(market.anvil, toml + given, folder, chain="native_price = 2000")
    market.anvil.set_automine(False)
    market.anvil.set_timestamp_interval(BLOCK_SECONDS)
    return k


def expire(market: AvalonExchange, k: Keeping, *txs: Tx) -> None:
    """A block at the first board's expiry."""
    market.anvil.set_timestamp_interval(market.board.expiry - market.now())
    k.step([act.set_spot(market.system, 2_100 * WAD), *txs])
    market.anvil.set_timestamp_interval(BLOCK_SECONDS)


def settled_at(market: AvalonExchange) -> int:
    signature = "boardToPriceAtExpiry(uint256)"
    return view_int(market.anvil.rpc, market.system.market, signature, market.board.id)


def done(k: Keeping) -> list[tuple[str, str]]:
    return [(said(each), each.state) for each in k.intents()]


def said(intent: Intent) -> str:
    return next(name for name in ("update Greeks", "settle board", "settle positions") if name in intent.plan)


def test_nothing_of_it_is_done_unless_it_is_asked_for(market: AvalonExchange, tmp_path: Path) -> None:
    market.open(TRADER, PUT, WAD, 1_500 * WAD)
    k = watched(market, tmp_path, "")
    k.step()
    expire(market, k)
    for _ in range(3):
        k.step()
    assert k.intents() == [] and k.episodes("chores") == [] and settled_at(market) == 0


def test_an_expired_board_is_settled_at_once_then_its_positions_then_greeks(
    market: AvalonExchange, tmp_path: Path
) -> None:
    short, long = market.open(TRADER, PUT, WAD, 1_500 * WAD), market.open(TRADER, LONG, WAD)
    dollars = market.dollars(TRADER)
    k = watched(market, tmp_path, "0.05")
    k.step()
    assert k.intents() == [], "the Greeks are fresh"
    expire(market, k)
    assert [said(each) for each in k.intents()] == ["settle board"]
    # The spot of the block that it is in, whatever it was when it was sent.
    k.step([act.set_spot(market.system, 2_150 * WAD)])
    assert settled_at(market) in (2_100 * WAD, 2_150 * WAD)
    for _ in range(4):
        k.step()
    assert {market.position(each).state for each in (short, long)} == {PositionState.SETTLED}
    assert market.dollars(TRADER) == dollars + 1_500 * WAD + settled_at(market) - 2_000 * WAD
    assert done(k) == [
        ("settle board", "settled"),
        ("settle positions", "settled"),
        ("update Greeks", "settled"),
    ]
    [told] = [each for each in k.alerts("action_taken") if "settle board" in each.body]
    assert "at the spot of the block" in told.body and "2100" in told.body
    [episode] = k.episodes("chores")
    assert episode.closed_block is not None and episode.account == market.system.market.lower()
    [paid] = [each for each in k.alerts("action_taken") if "settle positions" in each.body]
    assert f"settled at {settled_at(market) // WAD} are paid out" in paid.body
    assert k.alerts("chore_undone") == []


def test_what_the_budget_does_not_pay_for_is_said_once_and_done_on_another_day(
    market: AvalonExchange, tmp_path: Path
) -> None:
    for _ in range(7):
        market.open(TRADER, PUT, WAD, 1_500 * WAD)
    # Until the base fee is next to nothing: then gas costs the tip, two gwei at most.
    for _ in range(60):
        market.anvil.mine()
    # Enough for the board (900,000 gas, half of it in the end) or for the positions (1,240,000), not both.
    budget = 950_000 * 2 * 10**9
    k = watched(market, tmp_path, f"{budget / WAD:.18f}")
    k.step()
    expire(market, k)
    for _ in range(4):
        k.step()
    assert done(k) == [("settle board", "settled")]
    [told] = k.alerts("chore_undone")
    assert "settle positions is left to others" in told.title and "unpaid upkeep" in told.body
    market.anvil.set_timestamp_interval(24 * HOUR)
    k.step()
    market.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step()
    k.step()
    assert ("settle positions", "settled") in done(k)
    spent = [each.gas_used * each.gas_price for each in k.transactions() if each.gas_used and each.gas_price]
    assert spent and max(spent) <= budget


def test_another_who_is_first_costs_only_gas(market: AvalonExchange, tmp_path: Path) -> None:
    market.open(TRADER, PUT, WAD, 1_500 * WAD)
    k = watched(market, tmp_path, "0.05")
    k.step()
    expire(market, k)
    k.step([act.settle_board(market.system, OTHER, market.board)])
    assert settled_at(market) == 2_100 * WAD
    [intent] = [each for each in k.intents() if said(each) == "settle board"]
    assert intent.state == "failed" and intent.reason == "reverted on chain"
    for _ in range(6):
        k.step()
    assert ("settle positions", "settled") in done(k)
    assert [said(each) for each in k.intents()].count("settle board") == 1


def test_no_price_is_fixed_for_good_while_it_is_in_doubt(market: AvalonExchange, tmp_path: Path) -> None:
    k = watched(market, tmp_path, "0.05", oracles="watch")
    k.step()
    expire(market, k)
    k.step()
    assert k.intents() == [] and k.transactions() == [] and settled_at(market) == 0
    [told] = k.alerts("chore_undone")
    assert "settle board is left to others: sETH" in told.title


def test_a_dry_run_sends_nothing_and_says_what_it_would_do(market: AvalonExchange, tmp_path: Path) -> None:
    k = watched(market, tmp_path, "0.05")
    k.deciding.mode = "dry"
    k.step()
    expire(market, k)
    k.step()
    assert [(each.mode, said(each)) for each in k.intents()] == [("dry", "settle board")]
    assert k.transactions() == [] and settled_at(market) == 0
