"""Several intents in one transaction: rehearsed together, each settled by the contract's own event for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.chain.answers import BusyError
from keeper.execution import batch_rehearsal, journal, rehearsal
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.rpc import Json
from keeper.localchain.transactions import queue
from keeper.store.tables.journal import TransactionIntent
from keeper.store.tables.states import IntentState
from keeper.store.tables.watching import Episode
from tests.conftest import GENESIS
from tests.integration.execution.conftest import CRASH, OTHER, THIRD
from tests.support import aave_users
from tests.support.liquidations import liquidations
from tests.support.plans import written_plan
from tests.support.positions import ether_for_dollars
from tests.support.selling import Selling, open_exchange
from tests.support.ticks import act_again, look
from tests.support.world import World, account, open_market, world

pytestmark = pytest.mark.integration

WAD = 10**18
FOURTH = account(4)


@pytest.fixture
def w(tmp_path: Path) -> Iterator[tuple[World, Selling]]:
    """A keeper with our contract, and three accounts that a crash makes liquidatable."""
    with Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil:
        market = deploy(anvil.rpc, *demo_market())
        selling = open_exchange(anvil, market)
        open_market(anvil, market)
        made = world(anvil, market, tmp_path, chain_more=selling.settings())
        anvil.set_balance(made.payer, 10**19)
        for who in (OTHER, THIRD, FOURTH):
            made.send(*ether_for_dollars(market, who, 10, 19_000))
        made.work()
        yield made, selling


def carried(w: World) -> dict[int, set[str]]:
    """The accounts that each transaction (id) carries."""
    found: dict[int, set[str]] = {}
    accounts = {i.id: i.account for i in w.intents()}
    with w.store.session() as session:
        for row in session.exec(select(TransactionIntent)).all():
            found.setdefault(row.transaction_id, set()).add(accounts[row.intent_id])
    return found


def test_what_falls_together_is_liquidated_in_one_transaction(w: tuple[World, Selling]) -> None:
    keeper, selling = w
    selling.follow(CRASH)
    keeper.step(CRASH)
    [transaction] = keeper.transactions()
    assert carried(keeper) == {transaction.id: {OTHER, THIRD, FOURTH}}
    keeper.step()
    assert [(i.state, i.ended_block) for i in keeper.intents()] == [
        ("settled", transaction.signed_block + 1)
    ] * 3
    assert liquidations(keeper.anvil, keeper.market) == {OTHER: 1, THIRD: 1, FOURTH: 1}


def test_where_simulations_are_refused_for_their_rate_each_is_sent_alone(
    w: tuple[World, Selling], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, selling = w

    def busy(*_: object) -> None:
        raise BusyError("429 Too Many Requests", where="node")

    monkeypatch.setattr(batch_rehearsal, "simulate", busy)
    monkeypatch.setattr(rehearsal, "simulate", busy)
    selling.follow(CRASH)
    keeper.step(CRASH)
    assert list(map(len, carried(keeper).values())) == [1, 1, 1]
    keeper.step()
    assert liquidations(keeper.anvil, keeper.market) == {OTHER: 1, THIRD: 1, FOURTH: 1}


def test_what_failed_on_chain_lately_takes_no_others_with_it(w: tuple[World, Selling]) -> None:
    keeper, selling = w
    [run] = keeper.deciding.markets
    with keeper.store.session() as session:
        past = Episode(
            market=run.name, account=OTHER, threshold="liquidate",
            opened_block=1, closed_block=2, opened_health=1, lowest_health=1,
        )  # fmt: skip
        session.add(past)
        session.flush()
        assert past.id is not None and keeper.deciding.head is not None
        plan = written_plan(run.name, OTHER)
        intent = journal.commit(session, "local", keeper.deciding.head, plan, past.id, "live")
        journal.move_intent(session, intent, IntentState.REHEARSED, 1)
        journal.move_intent(session, intent, IntentState.FAILED, 2)
    selling.follow(CRASH)
    keeper.step(CRASH)
    assert sorted(map(len, carried(keeper).values())) == [1, 2]
    assert {OTHER} in carried(keeper).values()
    keeper.step()
    assert liquidations(keeper.anvil, keeper.market) == {OTHER: 1, THIRD: 1, FOURTH: 1}


def test_a_leg_that_fails_in_rehearsal_is_left_out_and_the_others_go_on(w: tuple[World, Selling]) -> None:
    keeper, selling = w
    selling.follow(CRASH)
    keeper.queue_price("WETH", CRASH["WETH"])
    keeper.anvil.mine()
    head = keeper.deciding.next_head()
    assert head is not None
    keeper.actor.settle(head)
    look(keeper.deciding, head)
    # One repays before we act.
    usdc = keeper.market.reserves["USDC"]
    keeper.anvil.impersonate(THIRD)
    queue(keeper.anvil, act.mint(keeper.market, usdc, THIRD, 10**12))
    queue(keeper.anvil, act.approve(keeper.market, usdc, THIRD))
    queue(keeper.anvil, aave_users.repay(keeper.market, usdc, THIRD, 10_000 * 10**6))
    keeper.anvil.mine()
    assert keeper.health(THIRD) > WAD
    assert keeper.deciding.head is not None
    act_again(keeper.loops)
    [transaction] = keeper.transactions()
    assert carried(keeper) == {transaction.id: {OTHER, FOURTH}}
    keeper.step()
    states = {i.account: i.state for i in keeper.intents()}
    assert states == {OTHER: "settled", THIRD: "expired", FOURTH: "settled"}


def test_a_leg_that_fails_in_the_block_ends_by_its_own_event(w: tuple[World, Selling]) -> None:
    keeper, selling = w
    selling.follow(CRASH)
    keeper.step(CRASH)
    usdc = keeper.market.reserves["USDC"]
    keeper.anvil.impersonate(THIRD)
    keeper.anvil.set_balance(THIRD, 10**20)
    for tx in (
        act.mint(keeper.market, usdc, THIRD, 10**12),
        act.approve(keeper.market, usdc, THIRD),
        aave_users.repay(keeper.market, usdc, THIRD, 10_000 * 10**6),
    ):
        keeper.anvil.impersonate(tx["from"])
        dear: dict[str, Json] = {
            "maxFeePerGas": hex(10**12),
            "maxPriorityFeePerGas": hex(10**11),
            "gas": hex(2_000_000),
        }
        dear |= {"from": tx["from"], "to": tx["to"], "data": tx["data"]}
        keeper.anvil.rpc.call("eth_sendTransaction", dear)
    keeper.step()
    states = {i.account: (i.state, i.reason) for i in keeper.intents()}
    assert states[OTHER][0] == states[FOURTH][0] == "settled"
    state, why = states[THIRD]
    assert state == "expired" and "HealthFactorNotBelowThreshold" in why
    with keeper.store.session() as session:
        [intent] = [i for i in keeper.intents() if i.account == THIRD]
        assert journal.transactions_of(session, intent.id or 0)[0].succeeded
