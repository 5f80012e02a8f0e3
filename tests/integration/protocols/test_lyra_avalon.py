"""Lyra Avalon in a keeper's hands: exact for every kind of position, heard, liquidated and topped up."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from keeper.chain import blocks
from keeper.localchain import lyra_avalon_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import AvalonOption
from keeper.localchain.lyra_avalon_parameters import WAD, WEEK
from keeper.localchain.transactions import TransactionFailedError
from keeper.model.account_key import account_key
from keeper.model.valuation import Valuation
from keeper.protocols.lyra_avalon.planning import least_reward
from tests.conformance.case import protection
from tests.conftest import GENESIS
from tests.support.avalon_exchange import BOARDS, AvalonExchange
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping, reading, valued
from tests.support.program import run_keeper

pytestmark = pytest.mark.integration

TRADER, OTHER = ACCOUNTS[1:3]
SHORTS = {
    AvalonOption.SHORT_CALL_BASE: 40 * WAD // 100,
    AvalonOption.SHORT_CALL_QUOTE: 900 * WAD,
    AvalonOption.SHORT_PUT_QUOTE: 900 * WAD,
}
STIRS = 20


@pytest.fixture
def market() -> Iterator[AvalonExchange]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = AvalonExchange(anvil, deploy(anvil.rpc, BOARDS))
        made.fund(TRADER, dollars=100_000, ether=100)
        yield made


def toml(market: AvalonExchange) -> str:
    return f'protocol = "lyra-avalon"\naddress = "{market.system.market}"\nunknown_oracles = "act"'


def opened(market: AvalonExchange) -> dict[AvalonOption, int]:
    """A position of every kind."""
    found = {kind: market.open(TRADER, kind, WAD) for kind in (AvalonOption.LONG_CALL, AvalonOption.LONG_PUT)}
    return found | {kind: market.open(TRADER, kind, WAD, least) for kind, least in SHORTS.items()}


def watched(market: AvalonExchange, folder: Path, more: str = "") -> Keeping:
    k = keeping(market.anvil, toml(market), folder, more, chain="native_price = 2000")
    market.anvil.set_balance(k.payer, 10**20)
    market.anvil.set_automine(False)
    market.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step()
    return k


def stirred(market: AvalonExchange, dice: random.Random, positions: list[int]) -> None:
    """Something of what happens in a market; what it refuses is no fault of the test's."""
    what = dice.choice(["spot", "spot", "wait", "open", "add", "liquidate", "close"])
    number = dice.choice(positions)
    try:
        if what == "spot":
            market.set_spot(dice.randint(1_200, 2_900))
        elif what == "wait":
            market.wait(dice.choice([1, 3_600, WEEK]))
        elif what == "open":
            kind = dice.choice(list(SHORTS))
            positions.append(market.open(TRADER, kind, dice.randint(WAD // 10, 2 * WAD), 2 * SHORTS[kind]))
        elif what == "add":
            market.send(act.add_collateral(market.system, TRADER, number, dice.randint(1, WAD)))
        elif what == "liquidate":
            market.send(act.liquidate_position(market.system, OTHER, number))
        else:
            market.send(act.set_spot(market.system, 2_000 * WAD))
    except TransactionFailedError:
        pass
    market.anvil.mine()


def test_numbers_are_the_contracts_to_the_unit_and_every_change_is_heard(
    market: AvalonExchange, tmp_path: Path
) -> None:
    positions = list(opened(market).values())
    run = reading(market.anvil, toml(market), tmp_path, store=True)
    dice, verdicts = random.Random(3), set()
    with capture_logs() as logs:
        for _ in range(STIRS):
            stirred(market, dice, positions)
            at = valued(run)
            assert at.acting, at.memory.watch_only
            views = run.book.views(blocks.latest(run.book.pool), list(run.book.accounts))
            assert {each.account: each for each in at.valuations} == views
            verdicts |= {each.liquidatable for each in at.valuations}
    assert verdicts == {True, False}
    assert "silent change" not in {each["event"] for each in logs}


@pytest.mark.parametrize(
    ("kind", "spot"),
    [
        (AvalonOption.SHORT_CALL_BASE, 2_600),
        (AvalonOption.SHORT_CALL_QUOTE, 2_400),
        (AvalonOption.SHORT_PUT_QUOTE, 1_400),
    ],
)
def test_a_short_that_breaks_is_liquidated_and_pays(
    market: AvalonExchange, tmp_path: Path, kind: AvalonOption, spot: int
) -> None:
    position = opened(market)[kind]
    k = watched(market, tmp_path)
    assert k.intents() == []
    k.step([act.set_spot(market.system, spot * WAD)])
    # The least fee pays for the gas once that costs less.
    for _ in range(8):
        k.step()
    [intent] = [each for each in k.intents() if each.account == account_key(str(position))]
    assert (intent.kind, intent.state) == ("liquidate", "settled")
    assert market.position(position).amount == 0 or market.position(position).state != 1
    assert market.dollars(k.payer) + market.ether(k.payer) > 0


@pytest.mark.parametrize("price", [WAD, 2_600 * WAD])
def test_what_a_liquidation_pays_at_least_is_the_contracts_fee_of_a_short_that_owes_more_than_it_has(
    market: AvalonExchange, tmp_path: Path, price: int
) -> None:
    opened(market)
    run = reading(market.anvil, toml(market), tmp_path)
    valued(run)
    state = run.book.state
    least = state.least_penalty * WAD // price
    fees = "getLiquidationFees(uint256,uint256,uint256,uint256)"
    for collateral in (0, 1, least // 3, least - 1, least, least + 1, 50 * least):
        paid = [
            market.numbers(market.system.token, fees, ",".join(["uint256"] * 6), owed, collateral, least, WAD)
            for owed in (10**6 * WAD, 0)
        ]
        found = least_reward(state, collateral, price)
        assert found == paid[0][3] <= paid[1][3]


def test_a_protected_short_gets_the_least_that_reaches_the_target(
    market: AvalonExchange, tmp_path: Path
) -> None:
    position = opened(market)[AvalonOption.SHORT_CALL_QUOTE]
    k = watched(market, tmp_path, protection(str(position), "add_collateral", "sUSD"))
    k.send(act.mint_and_approve(market.system, k.payer, 10_000 * WAD, 0)[:1])
    k.step([act.set_spot(market.system, 2_300 * WAD)])
    [intent] = [each for each in k.intents() if each.kind == "top_up"]
    k.step()
    health = k.valuation(account_key(str(position))).health
    assert health is not None and 125 * WAD // 100 <= health < 12501 * WAD // 10_000
    k.step()
    assert [each.state for each in k.intents() if each.id == intent.id] == ["settled"]


def test_a_frozen_or_expired_board_is_said_and_nothing_is_sent(
    market: AvalonExchange, tmp_path: Path
) -> None:
    opened(market)
    k = watched(market, tmp_path)
    k.step([act.freeze_board(market.system, market.board, True), act.set_spot(market.system, 1_300 * WAD)])
    k.step()
    assert k.intents() == [] and not any(each.liquidatable for each in _all(k))
    assert any("frozen" in each.title + each.body for each in k.alerts())
    market.anvil.set_timestamp_interval(5 * WEEK)
    k.step([act.freeze_board(market.system, market.board, False)])
    assert k.intents() == [] and not any(each.liquidatable for each in _all(k))


def _all(k: Keeping) -> list[Valuation]:
    [run] = k.deciding.markets
    return list(run.adapter.valuer.value(run.book.state, run.book.accounts, k.heads[-1].timestamp))


def test_dust_is_valued_as_the_market_does_at_any_price(market: AvalonExchange, tmp_path: Path) -> None:
    for amount in (1, 10**6):
        market.open(TRADER, AvalonOption.LONG_CALL, amount)
        market.open(TRADER, AvalonOption.SHORT_CALL_BASE, amount, WAD)
        market.open(TRADER, AvalonOption.SHORT_PUT_QUOTE, amount, 2_000 * WAD)
    run = reading(market.anvil, toml(market), tmp_path)
    for spot in (1, 1_999, 2_001, 10**6):
        market.set_spot(spot)
        at = valued(run)
        assert at.acting, at.memory.watch_only
        views = run.book.views(blocks.latest(run.book.pool), list(run.book.accounts))
        assert {each.account: each for each in at.valuations} == views and len(views) == 6


def test_programs_see_positions_by_their_numbers(market: AvalonExchange, tmp_path: Path) -> None:
    positions = opened(market)
    market.anvil.set_automine(False)
    keeping(market.anvil, toml(market), tmp_path)
    config = str(tmp_path / "keeper.toml")
    scanned = json.loads(run_keeper("scan", "--json", "--config", config).stdout)
    found = {each["account"]: each for each in scanned["markets"][0]["accounts"]}
    assert set(found) == {str(each) for each in positions.values()}
    for kind, least in SHORTS.items():
        each = found[str(positions[kind])]
        assert (each["equity"], each["maintenance"]) == (str(least), str(market.minimum(positions[kind])))
