"""Accounts as they come: one that needs two liquidations, one whose plan reverts on chain, one that another
keeper takes, one that recovers."""

from __future__ import annotations

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import queue
from tests.integration.execution.conftest import CRASH, OTHER, WELL, Fresh, Ready
from tests.support import aave_users
from tests.support.liquidations import liquidations
from tests.support.ticks import act_again, look
from tests.support.world import World, account

pytestmark = pytest.mark.integration

WAD = 10**18
RIVAL = account(77)


def rival_takes(w: World) -> None:
    """Somebody else liquidates all that may be, ahead of ours in the next block."""
    usdc = w.market.reserves["USDC"]
    w.anvil.impersonate(RIVAL)
    w.anvil.set_balance(RIVAL, 10**20)
    queue(w.anvil, act.mint(w.market, usdc, RIVAL, 10**12))
    queue(w.anvil, act.approve(w.market, usdc, RIVAL))
    queue(w.anvil, aave_users.liquidate(w.market, w.market.reserves["WETH"], usdc, OTHER, 2**256 - 1, RIVAL))


def test_an_account_that_needs_two_liquidations_gets_both_each_once(fresh: Fresh, ready: Ready) -> None:
    """Two debts, of which a liquidation repays one."""
    w = ready(accounts=())
    reserves = w.market.reserves
    w.send(
        *act.mint_and_supply(w.market, reserves["WETH"], OTHER, 10 * 10**18),
        act.borrow(w.market, reserves["USDC"], OTHER, 9_500 * 10**6),
        act.borrow(w.market, reserves["DAI"], OTHER, 9_500 * 10**18),
    )
    w.send(act.mint(w.market, reserves["DAI"], w.payer, 10**24))
    w.step({"WETH": 2000 * 10**8})
    for _ in range(8):
        w.step()
    assert [(i.attempt, i.state) for i in w.intents()] == [(1, "settled"), (2, "settled")]
    assert liquidations(*fresh)[OTHER] == 2
    assert w.allowance("USDC") == 0 and w.allowance("DAI") == 0


def test_whoever_makes_ours_fail_again_and_again_does_not_bleed_us_of_gas(fresh: Fresh, ready: Ready) -> None:
    """Each time ours is on its way the account recovers before it, and falls again: always a new episode."""
    w = ready("[policy]\nmax_attempts = 3\n")
    recovery = act.set_price(w.market, w.market.reserves["WETH"], WELL["WETH"])
    changed = {"from": recovery["from"], "to": recovery["to"], "data": recovery["data"], "gas": hex(10**6)}
    for _ in range(8):
        w.step(CRASH)
        ahead = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": hex(10**11)}
        w.anvil.rpc.call("eth_sendTransaction", {**changed, **ahead})
        w.step()
    assert [i.state for i in w.intents()] == ["failed"] * 3
    w.step(CRASH)
    assert any("3 attempts failed on chain" in a.body for a in w.alerts("cannot_act"))
    w.anvil.set_next_timestamp(w.heads[-1].timestamp + 25 * 3600)
    for _ in range(3):
        w.step(CRASH)
    assert [i.state for i in w.intents()] == ["failed"] * 3 + ["settled"], "a day later it is tried again"


def test_one_that_reverts_on_chain_fails_is_told_and_is_tried_again_later(fresh: Fresh, ready: Ready) -> None:
    """The price recovers in the very block that includes ours, before it."""
    w = ready()
    w.step(CRASH)
    w.step(WELL)
    [intent] = w.intents()
    act_ = next(t for t in w.transactions() if t.purpose == "act")
    assert (intent.state, intent.reason) == ("failed", "reverted on chain")
    assert act_.state == "final" and act_.succeeded is False and act_.gas_used
    assert [a.kind for a in w.alerts() if a.kind.startswith("action_")] == ["action_failed"]
    for _ in range(10):
        w.step(CRASH)
    assert w.health(OTHER) >= WAD
    assert liquidations(*fresh)[OTHER] == [i.state for i in w.intents()].count("settled")


def test_one_that_another_keeper_takes_between_plan_and_signature_expires_without_noise(
    fresh: Fresh, ready: Ready
) -> None:
    w = ready()
    w.queue_price("WETH", CRASH["WETH"])
    w.anvil.mine()
    head = w.deciding.next_head()
    assert head is not None
    w.actor.settle(head)
    look(w.deciding, head)
    assert [i.state for i in w.intents()] == ["planned"]
    while w.health(OTHER) < WAD:
        rival_takes(w)
        w.anvil.mine()
    assert w.deciding.head is not None
    act_again(w.loops)
    [intent] = w.intents()
    assert intent.state == "expired" and w.transactions() == []
    assert not [a for a in w.alerts() if a.kind.startswith("action_")]
    w.step()
    assert len(w.intents()) == 1
