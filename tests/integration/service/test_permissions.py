"""What a market forbids is not tried; it is said why, until when, and done in the block that allows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlmodel import col, select

from keeper.cli.status import status
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import queue
from keeper.store.tables.watching import Episode
from tests.integration.service.conftest import Fresh
from tests.support import aave_permissions as may
from tests.support import aave_users
from tests.support.keeping import BLOCK_SECONDS
from tests.support.positions import ether_for_dollars, fund, protect
from tests.support.views import view_int
from tests.support.world import LENDER, World, account, world

pytestmark = pytest.mark.integration

OWNER, OTHER = account(1), account(2)
WAD = 10**18
CRASH = {"WETH": 2260 * 10**8}
HOUR = 3600


def borrower(market: Fresh, folder: Path, more: str = "") -> World:
    """A keeper with money, and one borrower that a fall to 2260 puts between health 0.95 and 1."""
    anvil, deployed = market
    w = world(anvil, deployed, folder, more)
    w.send(*ether_for_dollars(deployed, OTHER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    return w


def episode(w: World, threshold: str = "liquidate") -> Episode:
    """The newest open episode below this threshold."""
    with w.store.session() as session:
        wanted = select(Episode).where(Episode.threshold == threshold, col(Episode.closed_block).is_(None))
        return session.exec(wanted.order_by(col(Episode.id).desc())).one()


def test_a_paused_reserve_is_waited_for_and_acted_on_when_it_opens(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w = borrower(fresh_market, tmp_path)
    weth = w.market.reserves["WETH"]
    w.send(may.pause(w.market, weth, True))
    w.work()
    for _ in range(3):
        w.step(CRASH)
    assert w.intents() == [], "nothing is tried while it is paused"
    [told] = w.alerts("cannot_act")
    assert "WETH: the reserve is paused" in told.body
    assert "WETH: the reserve is paused" in episode(w).blocked_reason
    queue(w.anvil, may.pause(w.market, weth, False))
    w.step()
    w.step()
    assert len(w.intents()) == 1 or w.intents()[0].state == "settled"
    assert w.balance("WETH") > 0


@pytest.mark.parametrize("fresh_market", ["3.6"], indirect=True)
def test_a_grace_period_names_its_end_and_the_first_open_block_has_the_liquidation(
    fresh_market: Fresh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = borrower(fresh_market, tmp_path)
    weth = w.market.reserves["WETH"]
    w.send(may.pause(w.market, weth, True))
    queue(w.anvil, may.unpause_with_grace(w.market, weth, HOUR))
    w.step(CRASH)
    until = w.heads[-1].timestamp + HOUR
    w.step()
    assert w.intents() == []
    assert episode(w).retry_at == until + 1
    [told] = w.alerts("cannot_act")
    assert "grace period" in told.body and "opens at: 20" in told.body
    capsys.readouterr()
    status(w.config, as_json=True)
    shown = json.loads(capsys.readouterr().out)["episodes"]
    assert [e["retry_at"] for e in shown if e["threshold"] == "liquidate"] == [until + 1]
    status(w.config, as_json=False)
    assert "opens" in capsys.readouterr().out
    _acts_exactly_at(w, until + 1)
    assert len(w.alerts("cannot_act")) == 1


def _acts_exactly_at(w: World, opens: int) -> None:
    """Nothing is sent for a block before `opens`; the first block at or after it has the liquidation."""
    w.anvil.set_next_timestamp(opens - 2 * BLOCK_SECONDS)
    w.step()
    assert w.transactions() == [], "the next block is still too early"
    w.anvil.set_next_timestamp(opens - BLOCK_SECONDS)
    w.step()
    assert len(w.transactions()) == 2, "sent for the block that opens"
    w.anvil.set_next_timestamp(opens)
    w.step()
    act_ = next(t for t in w.transactions() if t.purpose == "act")
    assert act_.succeeded and act_.block == w.heads[-1].number
    assert w.heads[-1].timestamp == opens


def test_the_sentinel_is_obeyed_while_the_sequencer_is_down_and_for_its_grace_period(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w = borrower(fresh_market, tmp_path)
    sentinel = may.add_sentinel(w.anvil.rpc, w.market, HOUR)
    w.anvil.set_automine(False)
    w.send(may.set_sequencer(w.market, sentinel, down=True, since=w.heads[-1].timestamp))
    w.work()
    for _ in range(3):
        w.step(CRASH)
    assert w.health(OTHER) > WAD * 95 // 100
    assert w.intents() == []
    assert "the sequencer is down" in episode(w).blocked_reason
    assert episode(w).retry_at is None
    up = w.heads[-1].timestamp
    queue(w.anvil, may.set_sequencer(w.market, sentinel, down=False, since=up))
    w.step()
    assert episode(w).retry_at == up + HOUR + 1
    assert [("opens at" in a.body) for a in w.alerts("cannot_act")] == [False, True]
    _acts_exactly_at(w, up + HOUR + 1)


def test_below_095_the_sentinel_is_not_asked(fresh_market: Fresh, tmp_path: Path) -> None:
    w = borrower(fresh_market, tmp_path)
    sentinel = may.add_sentinel(w.anvil.rpc, w.market, HOUR)
    w.anvil.set_automine(False)
    w.send(may.set_sequencer(w.market, sentinel, down=True, since=w.heads[-1].timestamp))
    w.work()
    w.step({"WETH": 2100 * 10**8})
    assert w.health(OTHER) < WAD * 95 // 100
    w.step()
    w.step()
    assert w.intents()[0].state == "settled"


def test_a_sentinel_does_not_hold_back_top_ups(fresh_market: Fresh, tmp_path: Path) -> None:
    anvil, deployed = fresh_market
    w = world(anvil, deployed, tmp_path, protect(OWNER))
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000))
    fund(w, USDC=100_000 * 10**6)
    sentinel = may.add_sentinel(anvil.rpc, deployed, HOUR)
    anvil.set_automine(False)
    w.send(may.set_sequencer(deployed, sentinel, down=True, since=0))
    w.work()
    w.step({"WETH": 2230 * 10**8})
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100


@pytest.mark.parametrize("closed", ["frozen", "paused", "supply cap", "inactive"])
def test_a_closed_supply_falls_to_the_next_step_and_alone_is_told(
    fresh_market: Fresh, tmp_path: Path, closed: str
) -> None:
    anvil, deployed = fresh_market
    supply = '{ action = "supply", asset = "WBTC" }'
    weth = '{ action = "supply", asset = "WETH" }'
    w = world(anvil, deployed, tmp_path, protect(OWNER, f"steps = [{supply}, {weth}]"))
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000))
    wbtc = deployed.reserves["WBTC"]
    if closed == "frozen":
        w.send(may.freeze(deployed, wbtc, True))
    elif closed == "paused":
        w.send(may.pause(deployed, wbtc, True))
    elif closed == "inactive":
        w.send(
            aave_users.withdraw(deployed, wbtc, LENDER, act.MAX),
            may.set_active(deployed, wbtc, False),
        )
    else:
        w.send(may.set_supply_cap(deployed, wbtc, 1))
    fund(w, WBTC=10 * 10**8)
    w.work()
    for _ in range(3):
        w.step({"WETH": 2230 * 10**8})
    assert w.intents() == []
    [told] = w.alerts("cannot_act")
    assert f"add collateral WBTC: the {'' if closed == 'supply cap' else 'reserve is '}{closed}" in told.body
    assert "add collateral WETH: no WETH to pay with" in told.body
    fund(w, WETH=10**21)
    w.step()
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100


def test_a_top_up_takes_what_room_the_supply_cap_leaves(fresh_market: Fresh, tmp_path: Path) -> None:
    anvil, deployed = fresh_market
    weth = deployed.reserves["WETH"]
    w = world(anvil, deployed, tmp_path, protect(OWNER, 'steps = [{ action = "supply", asset = "WETH" }]'))
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000))
    fund(w, WETH=10**21)
    supplied = supplied_in(w, "WETH")
    w.send(may.set_supply_cap(deployed, weth, supplied // 10**18 + 2))
    w.work()
    w.step({"WETH": 1850 * 10**8})
    for _ in range(3):
        w.step()
    [intent] = w.intents()
    assert intent.state == "settled"
    room = 10**21 - w.balance("WETH")
    assert 10**18 < room < 2 * 10**18 + 10**15, "what fitted under the cap was supplied"
    assert "the supply cap is reached" in w.alerts("cannot_act")[0].body


def supplied_in(w: World, symbol: str) -> int:
    """All supplied tokens of a reserve, token units."""
    return view_int(w.anvil.rpc, w.market.reserves[symbol].a_token, "totalSupply()")


def test_a_full_borrow_cap_and_a_frozen_reserve_do_not_hinder_repaying(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    anvil, deployed = fresh_market
    usdc = deployed.reserves["USDC"]
    w = world(anvil, deployed, tmp_path, protect(OWNER, 'steps = [{ action = "repay", asset = "USDC" }]'))
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000))
    w.send(may.set_borrow_cap(deployed, usdc, 1), may.freeze(deployed, usdc, True))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    w.step({"WETH": 2230 * 10**8})
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100


def drain(w: World, symbol: str) -> None:
    """Someone borrows every token of a reserve: utilisation is 100 %."""
    whale, reserve = account(9), w.market.reserves[symbol]
    w.send(*act.mint_and_supply(w.market, w.market.reserves["WBTC"], whale, 10_000 * 10**8))
    left = w.token(symbol, "balanceOf(address)", reserve.a_token)
    w.send(act.borrow(w.market, reserve, whale, left))
    assert w.token(symbol, "balanceOf(address)", reserve.a_token) == 0


def test_at_full_utilisation_atokens_are_taken_and_redeemed_when_the_pool_can_pay(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w = borrower(fresh_market, tmp_path)
    weth = w.market.reserves["WETH"]
    drain(w, "WETH")
    w.work()
    w.step(CRASH)
    w.step()
    assert w.intents()[0].state in ("rehearsed", "settled")
    for _ in range(6):
        w.step()
    assert {i.kind for i in w.intents()} == {"liquidate"}
    assert w.balance("WETH") == 0 and _claims(w) > 0
    held = episode(w, "redeem")
    assert held.asset == weth.asset.lower() and "no WETH to pay out" in held.blocked_reason
    # Someone supplies again, in two parts: the first pays for a part of the claims.
    before = _claims(w)
    w.send(*act.mint_and_supply(w.market, weth, LENDER, before // 3))
    for _ in range(7):
        w.step()
    assert w.balance("WETH") == before // 3
    w.send(*act.mint_and_supply(w.market, weth, LENDER, 10**21))
    for _ in range(12):
        w.step()
    assert _claims(w) == 0 and w.balance("WETH") >= before
    redeemed = [i for i in w.intents() if i.kind == "redeem"]
    assert [i.state for i in redeemed] == ["settled", "settled"]
    assert not [t for t in w.transactions() if t.purpose == "approve" and t.block is None]
    with w.store.session() as session:
        wanted = select(Episode).where(Episode.threshold == "redeem")
        assert session.exec(wanted).one().closed_block is not None
    assert any("redeemed" in a.title for a in w.alerts("action_taken"))


def test_claims_wait_while_tips_make_gas_dearer_than_what_can_be_paid_out(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    """The base fee is a hundredth of what a unit of gas costs."""
    w = borrower(fresh_market, tmp_path)
    weth = w.market.reserves["WETH"]
    drain(w, "WETH")
    w.work()
    w.step(CRASH)
    for _ in range(3):
        w.step()
    w.send(*act.mint_and_supply(w.market, weth, LENDER, 5 * 10**15))
    w.anvil.set_balance(LENDER, 10**20)
    w.anvil.impersonate(LENDER)
    for _ in range(12):
        dear = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": hex(10**11)}
        w.anvil.rpc.call("eth_sendTransaction", {"from": LENDER, "to": LENDER, "gas": hex(21_000), **dear})
        w.step()
    assert {i.kind for i in w.intents()} == {"liquidate"}
    assert "worth less than the gas" in episode(w, "redeem").blocked_reason


def _claims(w: World) -> int:
    return view_int(w.anvil.rpc, w.market.reserves["WETH"].a_token, "balanceOf(address)", w.payer)


def test_another_pair_that_can_be_paid_out_is_taken_instead(fresh_market: Fresh, tmp_path: Path) -> None:
    anvil, deployed = fresh_market
    w = world(anvil, deployed, tmp_path)
    w.send(
        *act.mint_and_supply(deployed, deployed.reserves["DAI"], OTHER, 12_000 * 10**18),
        *ether_for_dollars(deployed, OTHER, 10, 27_500),
    )
    fund(w, USDC=100_000 * 10**6)
    drain(w, "WETH")
    w.work()
    w.step({"WETH": 2100 * 10**8})
    assert w.health(OTHER) < WAD
    w.step()
    w.step()
    assert w.intents()[0].state == "settled"
    assert w.balance("DAI") > 0 and _claims(w) == 0
