"""What is peculiar to trove systems, on Mezo's real contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.chain import blocks
from keeper.chain.calls import run as read
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import Tx, send_batch
from keeper.model.plan import Plan
from keeper.protocols.liquity.market import TroveMarket
from tests.conformance.exchange import open_exchange
from tests.conformance.trove_case import LENDER, WAD, TroveCase
from tests.conftest import GENESIS
from tests.support import trove_users
from tests.support.keeping import BLOCK_SECONDS, MARKET, Keeping, keeping, reading, valued
from tests.support.ticks import halted
from tests.support.views import view_int

pytestmark = pytest.mark.integration

OWNER = TroveCase.owner
SOME = [f"0x{0xB0B << 148 | number:040x}" for number in range(1, 6)]


@pytest.fixture
def system() -> Iterator[TroveCase]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield TroveCase(anvil)


def opened(system: TroveCase, folder: Path, more: str = "", chain: str = "") -> Keeping:
    """A keeper of the system that has seen one block, blocks by hand from now on."""
    system.anvil.set_automine(False)
    system.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k = keeping(system.anvil, system.toml(), folder, more, chain)
    k.step(system.hold())
    return k


def status(system: TroveCase, who: str) -> int:
    return view_int(system.anvil.rpc, system.at.trove_manager, "getTroveStatus(address)", who)


def first(k: Keeping, tx: Tx) -> None:
    """Into the next block, before all that tips less."""
    k.anvil.impersonate(tx["from"])
    fees = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": hex(10**11), "gas": hex(2_000_000)}
    plain = {"from": tx["from"], "to": tx["to"], "data": tx["data"], "value": hex(tx.get("value", 0))}
    k.anvil.rpc.call("eth_sendTransaction", {**plain, **fees})


def protected(action: str, asset: str, account: str = OWNER, cap: str = "1000000") -> str:
    return f"""
[[protect]]
market = "{MARKET}"
account = "{account}"
target = 1.25
top_up = 1.01
max_spend_per_owner_day = "{cap}"
steps = [{{ action = "{action}", asset = "{asset}" }}]
"""


def test_several_troves_share_a_transaction_and_coins_come_too(system: TroveCase, tmp_path: Path) -> None:
    for who in SOME[:3]:
        system.near(who)
    exchange = open_exchange(system)
    k = opened(system, tmp_path, chain=exchange.settings())
    fall = system.fall()
    k.step(fall)
    assert {i.account for i in k.intents()} == set(SOME[:3])
    before = as_int(system.anvil.rpc.call("eth_getBalance", k.payer, "latest"))
    k.step(system.hold())
    k.step(system.hold())
    [transaction] = k.transactions()
    assert transaction.succeeded and {i.state for i in k.intents()} == {"settled"}
    assert [status(system, who) for who in SOME[:3]] == [3, 3, 3], "closed by liquidation"
    assert view_int(system.anvil.rpc, system.at.musd, "balanceOf(address)", k.payer) == 600 * WAD
    fee = (transaction.gas_used or 0) * (transaction.gas_price or 0)
    gained = as_int(system.anvil.rpc.call("eth_getBalance", k.payer, "latest")) - before + fee
    expected = sum(int(i.gain) for i in k.intents()) - 600 * WAD
    # What the pool could not take of the second fell in part to the third, and its coins with it.
    assert expected <= gained * system.price // 10**8 <= expected + expected // 10**4


def test_an_empty_stability_pool_is_told_once_and_the_debt_falls_to_the_others(
    system: TroveCase, tmp_path: Path
) -> None:
    empty = calldata("withdrawFromSP(uint256)", 30_000 * WAD)
    pool = system.at.contracts["StabilityPool"]
    account = system.near(SOME[0])
    k = opened(system, tmp_path)
    assert k.alerts("market_warning") == []
    k.step([{"from": LENDER, "to": pool, "data": empty, "gas": 1_000_000}, *system.hold()])
    assert "stability pool is empty" in k.alerts("market_warning")[0].title
    debt = k.valuation(LENDER.lower()).maintenance
    k.step(system.fall())
    k.step(system.hold())
    k.step(system.hold())
    assert status(system, account) == 3 and [i.state for i in k.intents()] == ["settled"]
    assert k.valuation(LENDER.lower()).maintenance > debt + 20_000 * WAD, "redistributed"
    assert len(k.alerts("market_warning")) == 1
    run = reading(system.anvil, system.toml(), tmp_path)
    at = valued(run)
    assert at.acting and {v.account: v for v in at.valuations} == run.book.views(
        blocks.latest(run.book.pool), list(run.book.accounts)
    )


def test_the_last_trove_is_left_alone_and_that_is_told(system: TroveCase, tmp_path: Path) -> None:
    k = opened(system, tmp_path)
    system.price = 210 * 10**8
    k.step(system.hold())
    k.step(system.hold())
    assert (k.valuation(LENDER.lower()).health or 0) < WAD
    assert k.intents() == [] and k.transactions() == []
    assert "last trove" in k.alerts("cannot_act")[0].body


def test_recovery_mode_is_told_before_it_is_reached_and_when_it_is_over(
    system: TroveCase, tmp_path: Path
) -> None:
    k = opened(system, tmp_path)
    for price in (320, 320, 295, 295, 400):
        system.price = price * 10**8
        k.step(system.hold())
    told = [json.loads(a.fields)["warning"] for a in k.alerts("market_warning")]
    over = [json.loads(a.fields)["warning"] for a in k.alerts("market_warning_over")]
    assert told == ["near_recovery", "recovery"] and over == ["near_recovery", "recovery"]
    ended = keeping(system.anvil, system.toml(), tmp_path)
    system.price = 320 * 10**8
    ended.step(system.hold())
    again = keeping(system.anvil, system.toml(), tmp_path)
    again.step(system.hold())
    assert len(again.alerts("market_warning")) == 3, "a restart tells nothing twice"


def test_hints_that_go_stale_between_rehearsal_and_inclusion_do_no_harm(
    system: TroveCase, tmp_path: Path
) -> None:
    system.near(OWNER)
    for number, ratio in enumerate((1.3, 1.15, 1.127, 1.125)):
        who = SOME[number]
        txs = [*system.hold(), *system.position(who, 20_000 * WAD, ratio), system.give(who, 30_000 * WAD)]
        send_batch(system.anvil.rpc, txs)
    k = opened(system, tmp_path, protected("supply", "native"))
    system.price = system.price * 98 // 100
    k.step(system.hold())
    [intent] = k.intents()
    data = Plan.from_json(intent.plan).data
    hints = {"0x" + data[34:74], "0x" + data[98:138]}
    assert hints == {SOME[1], SOME[2]}, "the neighbours in the list"
    for who in hints:
        first(k, trove_users.close(system.at, who))
    k.step(system.hold())
    assert [status(system, who) for who in SOME[1:3]] == [2, 2], "closed by their owners"
    k.step(system.hold())
    [intent], [sent] = k.intents(), k.transactions()
    assert intent.state == "settled" and sent.succeeded
    mined = as_dict(system.anvil.rpc.call("eth_getTransactionReceipt", sent.hash))
    assert as_int(mined["transactionIndex"]) >= 2, "they were closed first"


def test_debt_is_repaid_by_the_owner_without_an_allowance(system: TroveCase, tmp_path: Path) -> None:
    system.near(OWNER)
    k = opened(system, tmp_path, protected("repay", "MUSD"))
    k.step([*system.fall()])
    k.step(system.hold())
    assert [t.purpose for t in k.transactions()] == ["act"], "debt is burned, not pulled"
    reached = k.valuation(OWNER).health or 0
    assert 125 * WAD // 100 <= reached < 125 * WAD // 100 + WAD // 10**5
    k.step(system.hold())
    assert [i.state for i in k.intents()] == ["settled"]


def test_of_anothers_trove_it_is_told_that_only_its_owner_can_top_up(
    system: TroveCase, tmp_path: Path
) -> None:
    system.near(SOME[0])
    k = opened(system, tmp_path, protected("supply", "native", SOME[0]))
    k.step(system.fall())
    assert k.intents() == [] and "only a trove's owner" in k.alerts("cannot_act")[0].body


def test_coins_that_go_with_a_call_count_as_spent_and_only_to_what_is_allowed(
    system: TroveCase, tmp_path: Path
) -> None:
    system.near(OWNER)
    listed = f'[execution]\nallow = [{{ target = "{system.at.trove_manager}" }}]\n'
    k = opened(system, tmp_path, listed + protected("supply", "native"))
    k.step(system.fall())
    [intent] = k.intents()
    plan = Plan.from_json(intent.plan)
    assert plan.value and intent.spend == -(-plan.value * system.price // 10**8)
    assert intent.state == "refused" and "not on the allow-list" in (intent.reason or "")
    assert k.transactions() == []


def test_a_day_cap_bounds_the_coins(system: TroveCase, tmp_path: Path) -> None:
    system.near(OWNER)
    k = opened(system, tmp_path, protected("supply", "native", cap="600"))
    k.step(system.fall())
    [intent] = k.intents()
    value = Plan.from_json(intent.plan).value
    assert value == 600 * WAD * WAD // (system.price * 10**10)
    k.step(system.hold())
    k.step(system.hold())
    assert k.transactions()[0].value == value
    assert [i.state for i in k.intents()] == ["settled"]
    assert "the day's cap is used up" in k.alerts("cannot_act")[0].body


def test_while_the_feed_is_stale_nothing_is_valued_or_sent_and_then_it_is(
    system: TroveCase, tmp_path: Path
) -> None:
    account = system.near(SOME[0])
    k = opened(system, tmp_path)
    system.fall()
    for _ in range(7):
        k.step()
    assert k.intents() == [] and k.deciding.troubles.failed_at == {}
    [run] = k.deciding.markets
    assert run.book.state.price is None and halted(k.deciding).reason == ""
    k.step(system.hold())
    assert [i.account for i in k.intents()] == [account]


def test_a_system_without_interest_is_only_watched(system: TroveCase, tmp_path: Path) -> None:
    run = reading(system.anvil, system.toml(), tmp_path)
    valued(run)
    adapter = TroveMarket("m", system.at.trove_manager, 0)
    [answer] = read(
        run.book.pool, blocks.latest(run.book.pool), [adapter.mirror.market_call([])], adapter.mirror.lenses()
    )
    state = adapter.mirror.read_market(answer)
    assert adapter.valuer.version(state) == "musd-1"
    assert adapter.valuer.version(replace(state, interest=False)) is None
