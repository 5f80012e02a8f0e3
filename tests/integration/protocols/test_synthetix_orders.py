"""Orders of Synthetix v3 perps that wait: who settles or cancels them is paid, so a keeper does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import synthetix_v3_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.synthetix_v3_market import WAD, LocalPerp
from keeper.localchain.transactions import Tx
from tests.conformance.case import protection
from tests.conformance.synthetix_case import KEEPER, PAYER, TRADER, SynthetixCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping, loops_of

pytestmark = pytest.mark.integration

ACCOUNT, OTHER = 1_000_001, 1_000_002


@pytest.fixture
def case() -> Iterator[SynthetixCase]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = SynthetixCase(anvil)
        made.at.send(*made.hold())
        made.at.open_account(TRADER, ACCOUNT, dollars=10_000)
        yield made


def watched(case: SynthetixCase, folder: Path, more: str = "", native: int = 1) -> Keeping:
    """A keeper of the market, from here on a block at a time, where a coin costs so many dollars."""
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k = keeping(case.anvil, case.toml(), folder, more, f"native_price = {native}\n")
    k.step(case.hold())
    return k


def committed(case: SynthetixCase, size: int, limit: int | None = None, account: int = ACCOUNT) -> Tx:
    return act.commit_order(case.at.system, TRADER, account, case.at.eth, size, limit)


def brought(case: SynthetixCase, price: int, account: int = ACCOUNT, perp: LocalPerp | None = None) -> Tx:
    """The price (dollars) that the account's order is settled at."""
    perp = perp or case.at.eth
    time = act.price_time(case.anvil.rpc, case.at.system, account, perp)
    return act.bring_benchmark(case.at.system, KEEPER, perp.feed, price * 10**8, time)


def test_an_order_is_settled_once_its_price_is_there(case: SynthetixCase, tmp_path: Path) -> None:
    case.at.send(act.set_costs(case.at.system, 3 * WAD // 2, WAD // 2, WAD // 4))
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    assert k.episodes("upkeep") == [], "its window is not open"
    k.step(case.hold())
    assert k.intents() == [], "its price has not been brought"
    [episode] = k.episodes("upkeep")
    assert "has not been brought" in episode.blocked_reason and k.alerts("cannot_act") == []
    k.step([*case.hold(), brought(case, 2_000)])
    k.step(case.hold())
    k.step(case.hold())
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("settle", "settled"), intent.reason
    assert case.at.size(ACCOUNT, case.at.eth) == 3 * WAD
    assert case.at.dollars(k.payer) == 5 * WAD // 2, "the reward and what settling costs"
    assert k.episodes("upkeep")[0].closed_block is not None


@pytest.mark.parametrize(("size", "limit", "price"), [(3, 1_990, 2_000), (-3, 2_010, 2_000)])
def test_an_order_whose_price_misses_its_limit_is_cancelled(
    case: SynthetixCase, tmp_path: Path, size: int, limit: int, price: int
) -> None:
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, size * WAD, limit * WAD)])
    k.step([*case.hold(), brought(case, price)])
    k.step(case.hold())
    k.step(case.hold())
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("settle", "settled"), intent.reason
    assert '"cancel_order"' in intent.plan
    assert case.at.size(ACCOUNT, case.at.eth) == 0
    assert case.at.dollars(k.payer) == WAD, "the reward alone"


def test_after_its_window_nothing_pays_and_nothing_is_sent(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    for _ in range(11):
        k.step(case.hold())
    # Its price is brought in the last block in which the order could be settled.
    k.step([*case.hold(), brought(case, 2_000)])
    k.step(case.hold())
    assert k.intents() == [] and k.transactions() == []
    assert k.episodes("upkeep")[-1].closed_block is not None


def test_where_gas_costs_more_than_it_pays_it_is_left(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path, native=20_000)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    k.step([*case.hold(), brought(case, 2_000)])
    k.step(case.hold())
    assert k.intents() == []
    assert "less than min_profit" in k.episodes("upkeep")[0].blocked_reason


def test_an_order_of_an_account_under_protection_is_settled_whatever_it_pays(
    case: SynthetixCase, tmp_path: Path
) -> None:
    k = watched(case, tmp_path, protection(str(ACCOUNT), "repay", "snxUSD"), native=20_000)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    k.step([*case.hold(), brought(case, 2_000)])
    k.step(case.hold())
    k.step(case.hold())
    assert [(each.kind, each.state) for each in k.intents()] == [("settle", "settled")]


def test_another_keeper_that_settles_first_costs_only_gas(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    k.step([*case.hold(), brought(case, 2_000)])
    assert [each.state for each in k.transactions()] == ["sent"]
    k.step([act.settle(case.at.system, KEEPER, ACCOUNT), *case.hold()])
    k.step(case.hold())
    [intent] = k.intents()
    assert intent.state == "failed" and case.at.dollars(k.payer) == 0
    assert case.at.size(ACCOUNT, case.at.eth) == 3 * WAD
    for _ in range(4):
        k.step(case.hold())
    assert len(k.intents()) == 1, "nothing is left to settle"


def test_an_order_that_expires_before_its_settlement_is_in_a_block_costs_only_gas(
    case: SynthetixCase, tmp_path: Path
) -> None:
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    k.step([*case.hold(), brought(case, 2_000)])
    [sent] = k.transactions()
    assert sent.state == "sent"
    case.anvil.set_timestamp_interval(180)
    k.step(case.hold())
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    for _ in range(5):
        k.step(case.hold())
    [intent] = k.intents()
    acted = [each for each in k.transactions() if each.purpose == "act"]
    assert (intent.state, [each.succeeded for each in acted]) == ("failed", [False])
    assert case.at.dollars(k.payer) == 0 and case.at.size(ACCOUNT, case.at.eth) == 0
    assert k.episodes("upkeep")[-1].closed_block is not None, "after its window nothing pays"


def test_what_settling_would_revert_for_is_said(case: SynthetixCase, tmp_path: Path) -> None:
    case.at.open_account(TRADER, OTHER, dollars=2_000)
    case.at.trade(TRADER, OTHER, case.at.eth, 15 * WAD, 2_000, KEEPER)
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, -WAD, account=OTHER)])
    case.prices["ETH"] = 1_880
    k.step([*case.hold(), brought(case, 1_880, OTHER)])
    assert "can be liquidated" in k.episodes("upkeep")[0].blocked_reason
    k.step(case.hold())
    assert [each.kind for each in k.intents()] == ["liquidate"], "which drops the order"


def test_of_many_orders_some_are_planned_at_a_block_and_each_is_settled_once(
    case: SynthetixCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keeper.service.planning.upkeep.MOST_AT_ONCE", 2)
    many = range(2_000_000, 2_000_006)
    for account in many:
        case.at.open_account(TRADER, account, dollars=5_000)
    k = watched(case, tmp_path)
    k.step([*case.hold(), *(committed(case, WAD, account=each) for each in many)])
    k.step([*case.hold(), brought(case, 2_000, many[0])])
    assert len(k.intents()) == 2
    for _ in range(6):
        k.step(case.hold())
    assert sorted(each.account for each in k.intents()) == sorted({each.account for each in k.intents()})
    assert [each.state for each in k.intents()] == ["settled"] * len(many)
    assert all(case.at.size(each, case.at.eth) == WAD for each in many)
    assert k.payer == PAYER


def test_after_a_restart_an_order_that_waits_is_still_found(case: SynthetixCase, tmp_path: Path) -> None:
    k = watched(case, tmp_path)
    k.step([*case.hold(), committed(case, 3 * WAD)])
    k.step(case.hold())
    [before] = k.episodes("upkeep")
    k.actor.release()
    k.store.close()
    again = Keeping(
        case.anvil, tmp_path, *loops_of(tmp_path, (tmp_path / "keeper.toml").read_text(), live=True)
    )
    again.step([*case.hold(), brought(case, 2_000)])
    again.step(case.hold())
    again.step(case.hold())
    assert [(each.kind, each.state, each.episode_id) for each in again.intents()] == [
        ("settle", "settled", before.id)
    ]
    assert again.episodes("upkeep")[-1].closed_block is not None
