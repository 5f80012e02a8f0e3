"""Inclusion is not the end: finality, blocks that leave the chain, and what is done about it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.execution import allowances, journal, settlement
from keeper.localchain import aave_actions as act
from keeper.localchain.rpc import Json
from keeper.service.daemon import Daemon
from keeper.store.tables.journal import StandingAllowance, Transition
from keeper.store.tables.states import IntentState
from tests.integration.execution.conftest import CRASH, OTHER, WELL, Fresh, Ready
from tests.support.liquidations import liquidations
from tests.support.world import World, world

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often asked again, and sooner."""
    monkeypatch.setattr("keeper.chain.pool.PAUSES", (0.01, 0.02, 0.02, 0.02))


WAD = 10**18
DEPTHS = range(1, 21) if os.environ.get("KEEPER_SOAK") else (1, 2, 20)
DEEP = "[execution]\nconfirmations = 40\n"


def settled_once(w: World, fresh: Fresh) -> None:
    """What the chain shows was done once for each attempt that says so, and nothing else."""
    states = [i.state for i in w.intents()]
    assert set(states) <= {IntentState.SETTLED, IntentState.EXPIRED, IntentState.FAILED}
    assert liquidations(*fresh)[OTHER] == states.count(IntentState.SETTLED)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_reorg_that_drops_ours_has_it_rehearsed_and_done_again_once(
    fresh: Fresh, ready: Ready, depth: int
) -> None:
    anvil, _ = fresh
    w = ready(DEEP)
    w.step(CRASH)
    for _ in range(depth):
        w.step()
    done = w.intents()[0]
    assert done.state == "settled" and liquidations(*fresh)[OTHER] >= 1
    anvil.reorg(depth)
    assert liquidations(*fresh)[OTHER] == 0, "Anvil does not bring orphaned transactions back"
    w.work()
    with w.store.session() as session:
        moves = [(t.before, t.after) for t in session.exec(select(Transition)).all()]
    # Where a higher bid is due by then, that goes out in its stead.
    again = {("orphaned", "sent"), ("orphaned", "replaced")}
    assert ("included", "orphaned") in moves and again & set(moves)
    assert ("settled", "rehearsed") in moves
    for _ in range(14):
        w.step()
    assert w.health(OTHER) >= WAD
    settled_once(w, fresh)
    assert w.allowance("USDC") == 0


def test_an_attempt_that_a_reorg_took_back_is_no_failure_of_its_account(fresh: Fresh, ready: Ready) -> None:
    anvil, _ = fresh
    w = ready(DEEP)
    w.step(CRASH)
    w.step()
    assert w.intents()[0].state == "settled"
    w.step({"WETH": CRASH["WETH"] * 3 // 4})
    assert [i.state for i in w.intents()] == ["settled", "rehearsed"]
    anvil.reorg(2)
    w.queue_price("WETH", CRASH["WETH"] * 3 // 4)
    anvil.mine(1)
    w.work()
    first = w.intents()[0]
    assert (first.state, first.reason) == ("expired", settlement.OVERTAKEN)
    with w.store.session() as session:
        made = journal.attempts(session, first.episode_id, "liquidate", "live")
    assert made.failures_in_a_row == 0, "the next attempt need not wait"
    for _ in range(14):
        w.step()
    settled_once(w, fresh)


def test_after_a_reorg_an_account_that_is_well_is_left_alone(fresh: Fresh, ready: Ready) -> None:
    anvil, _ = fresh
    w = ready(DEEP)
    w.step(CRASH)
    w.step()
    assert w.intents()[0].state == "settled"
    anvil.reorg(1)
    w.queue_price("WETH", WELL["WETH"])
    anvil.mine()
    w.work()
    w.step()
    w.step()
    assert w.intents()[0].state == "expired"
    assert liquidations(*fresh)[OTHER] == 0
    assert w.balance("USDC") == 1_000_000 * 10**6 and w.allowance("USDC") == 0


def test_final_is_what_the_chain_says_is_finalized(fresh: Fresh, ready: Ready) -> None:
    w = ready()
    assert w.actor.sender is not None
    limits = replace(w.actor.sender.limits, confirmations=None)
    w.actor.sender = replace(w.actor.sender, limits=limits)
    w.step(CRASH)
    w.step()
    included = [t for t in w.transactions() if t.block is not None]
    assert {t.state for t in included} == {"included"}
    assert w.intents()[0].state == "settled", "a second attempt need not wait for finality"
    pool = w.deciding.pool
    while int(pool.call("eth_getBlockByNumber", "finalized", False)["number"], 16) < (
        included[-1].block or 0
    ):
        assert {t.state for t in w.transactions() if t.id in {i.id for i in included}} == {"included"}
        w.anvil.mine(16)
        w.work()
    assert {t.state for t in w.transactions() if t.id in {i.id for i in included}} == {"final"}


def test_each_inclusion_is_written_with_block_hash_and_fee(fresh: Fresh, ready: Ready) -> None:
    w = ready()
    w.step(CRASH)
    w.step()
    act = next(t for t in w.transactions() if t.purpose == "act")
    receipt = w.deciding.pool.call("eth_getTransactionReceipt", act.hash)
    with w.store.session() as session:
        rows = session.exec(select(Transition).where(Transition.transaction_id == act.id)).all()
        ends = session.exec(select(Transition).where(Transition.after == "settled")).all()
    assert [(r.before, r.after) for r in rows] == [
        ("", "signed"),
        ("signed", "sent"),
        ("sent", "included"),
        ("included", "final"),
    ]
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    for row in (rows[2], rows[3], ends[0]):
        assert row.block_hash == receipt["blockHash"] and row.fee == fee
    assert rows[2].block == int(receipt["blockNumber"], 16)


def test_an_allowance_is_taken_back_though_the_process_ends_between_intent_and_clearing(
    fresh: Fresh, ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = ready()
    w.step(CRASH)
    # The approval goes through, the liquidation gets lost, and the account recovers.
    act = next(t for t in w.transactions() if t.purpose == "act")
    w.anvil.rpc.call("anvil_dropTransaction", act.hash)
    w.step(WELL)
    with monkeypatch.context() as dying:
        dying.setattr(allowances, "take_back", _dies)
        with pytest.raises(KeyboardInterrupt):
            w.step()
    assert w.intents()[0].state == "expired" and w.allowance("USDC") > 0
    again = world(*fresh, tmp_path)
    again.work()
    again.step()
    again.step()
    assert again.allowance("USDC") == 0
    assert [t.purpose for t in again.transactions()][-1] == "clear"
    with again.store.session() as session:
        assert session.exec(select(StandingAllowance)).all() == []


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_another_block_of_the_same_number_is_acted_on(fresh: Fresh, ready: Ready) -> None:
    """The daemon has acted at this number already; the fall is in the block that took that one's place."""
    anvil, deployed = fresh
    w = ready(DEEP)
    assert w.actor.sender is not None
    w.actor.release()
    daemon = Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)
    anvil.mine()
    daemon._decide("local")
    number = anvil.block_number()
    assert daemon.chains["local"].acted_at == number and not w.transactions()
    fall = act.set_price(deployed, deployed.reserves["WETH"], CRASH["WETH"])
    call: dict[str, Json] = {
        "from": fall["from"],
        "to": fall["to"],
        "data": fall["data"],
        "gas": hex(300_000),
        "maxFeePerGas": hex(200 * 10**9),
        "maxPriorityFeePerGas": "0x1",
    }
    anvil.rpc.call("anvil_reorg", 1, [[call, 0]])
    assert anvil.block_number() == number and w.health(OTHER) < WAD
    daemon._decide("local")
    assert {t.state for t in w.transactions()} == {"sent"}
    anvil.mine()
    assert liquidations(*fresh)[OTHER] == 1


def test_what_is_ahead_of_the_head_settles_nothing(fresh: Fresh, ready: Ready) -> None:
    """Its block comes after the head is taken, and is taken back before the next: done once all the same."""
    anvil, _ = fresh
    w = ready(DEEP)
    w.step(CRASH)
    head = w.deciding.head
    assert head is not None and {t.state for t in w.transactions()} == {"sent"}
    anvil.mine()
    w.actor.settle(head)
    assert {t.state for t in w.transactions()} == {"sent"} and w.intents()[0].state == "rehearsed"
    anvil.reorg(1)
    assert liquidations(*fresh)[OTHER] == 0
    for _ in range(4):
        w.step()
    settled_once(w, fresh)
    assert liquidations(*fresh)[OTHER] >= 1
