"""Pending oracle updates as a trigger: the daemon hears of them, values the book as they would leave it, and
bundles liquidations right behind them. An update that comes to nothing leaves nothing but expired intents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlmodel import select

from keeper.chain.backrun import PendingUpdate
from keeper.chain.pending import parse, raw_of
from keeper.execution import journal
from keeper.localchain import aave_actions as act
from keeper.localchain.rpc import as_dict
from keeper.localchain.transactions import Tx
from keeper.service.daemon import Daemon
from keeper.store.tables.states import IntentState
from keeper.store.tables.watching import Episode
from tests.integration.execution.conftest import CRASH, OTHER, THIRD, WELL, Fresh, Ready
from tests.support.liquidations import liquidations
from tests.support.plans import written_plan
from tests.support.positions import protect
from tests.support.standin_relay import StandInRelay, standin_relay
from tests.support.waiting import wait_for
from tests.support.world import World

pytestmark = pytest.mark.integration

WAD = 10**18
GWEI = 10**9


@pytest.fixture
def relay(fresh: Fresh) -> Iterator[StandInRelay]:
    with standin_relay(fresh[0].rpc) as running:
        yield running


def relayed(fresh: Fresh, relay: StandInRelay, behind: str = "svr") -> str:
    return f"""
[chains.local.relay]
url = "{relay.url}"
kind = "bundle"
bundle_method = "{behind}"
mempool_ws = "ws{fresh[0].url.removeprefix("http")}"
"""


def daemon_of(w: World) -> Daemon:
    assert w.actor.sender is not None
    w.actor.release()
    return Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)


@contextmanager
def running(w: World) -> Iterator[Daemon]:
    """The daemon on a thread of its own, once it has seen the newest block and listens."""
    daemon = daemon_of(w)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            daemon.run()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: daemon.chains["local"].acted_at == w.anvil.block_number())
        watch = daemon.chains["local"].watch
        assert watch is not None
        wait_for(lambda: watch.listening)
        yield daemon
    finally:
        daemon.stop()
        thread.join(30)
    assert not failed and not thread.is_alive()


def signed(w: World, tx: Tx, *, ahead: int = 0) -> PendingUpdate:
    """A transaction of the oracle's own key, left in the pool, in a block's first place by its tip. `ahead`
    leaves so many nonces out: no block can take it."""
    rpc = w.anvil.rpc
    rpc.call("anvil_autoImpersonateAccount", False)
    rpc.call("anvil_stopImpersonatingAccount", tx["from"])
    call = {"from": tx["from"], "to": tx["to"], "data": tx["data"], "gas": hex(300_000)}
    fees = {"maxFeePerGas": hex(200 * GWEI), "maxPriorityFeePerGas": hex(50 * GWEI)}
    if ahead:
        fees["nonce"] = hex(rpc.integer("eth_getTransactionCount", tx["from"], "pending") + ahead)
    digest = rpc.text("eth_sendTransaction", {**call, **fees})
    found = as_dict(rpc.call("eth_getTransactionByHash", digest))
    update = parse(found)
    assert update is not None
    raw = raw_of(found)
    assert raw == rpc.call("eth_getRawTransactionByHash", digest)
    return replace(update, raw=raw)


def crash(w: World, price: int = CRASH["WETH"], *, ahead: int = 0) -> PendingUpdate:
    return signed(w, act.set_price(w.market, w.market.reserves["WETH"], price), ahead=ahead)


def by_hand(w: World) -> tuple[Daemon, Callable[[PendingUpdate], None]]:
    """A daemon whose rounds the test calls, and its look at a pending update."""
    daemon = daemon_of(w)
    daemon._decide("local")
    watch = daemon.chains["local"].watch
    assert watch is not None
    return daemon, watch.act


def block(w: World, daemon: Daemon) -> None:
    w.anvil.mine()
    daemon._decide("local")


@pytest.mark.parametrize("behind", ["svr", "mev-share"])
def test_an_update_in_the_pool_is_bundled_with_the_liquidation_and_both_are_in_one_block(
    fresh: Fresh, ready: Ready, relay: StandInRelay, behind: str
) -> None:
    w = ready(relayed(fresh, relay, behind))
    with running(w):
        update = crash(w)
        wait_for(lambda: bool(relay.asked))
        wait_for(lambda: {t.state for t in w.transactions()} == {"sent"})
        [(method, params)] = relay.asked
        ours = [t.raw for t in w.transactions()]
        target = w.anvil.block_number() + 1
        if behind == "svr":
            assert (method, params) == (
                "eth_sendBundle",
                {"txs": [update.raw, *ours], "blockNumber": hex(target)},
            )
        else:
            assert method == "mev_sendBundle"
            assert params["body"] == [{"hash": update.hash}, *({"tx": r, "canRevert": False} for r in ours)]
        w.anvil.mine()
        mined = as_dict(w.anvil.rpc.call("eth_getBlockByNumber", hex(target), False))
        assert mined["transactions"] == [update.hash, *(t.hash for t in w.transactions())]
        assert liquidations(*fresh)[OTHER] == 1, "liquidated in the very block of the update"
        wait_for(lambda: {i.state for i in w.intents()} == {"settled"})
    assert len(w.intents()) == 1
    assert {a.kind for a in w.alerts()} <= {"action_taken", "below_warn", "below_liquidate"}


def test_whoever_failed_too_often_today_is_not_bundled_either(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    w = ready(relayed(fresh, relay), accounts=(OTHER, THIRD))
    _, look = by_hand(w)
    [run] = w.deciding.markets
    assert w.deciding.head is not None
    with w.store.session() as session:
        past = Episode(
            market=run.name, account=OTHER, threshold="liquidate",
            opened_block=1, closed_block=2, opened_health=1, lowest_health=1,
        )  # fmt: skip
        session.add(past)
        session.flush()
        assert past.id is not None
        for _ in range(w.settings.policy.max_attempts):
            plan = written_plan(run.name, OTHER)
            intent = journal.commit(session, "local", w.deciding.head, plan, past.id, "live")
            journal.move_intent(session, intent, IntentState.REHEARSED, 1)
            journal.move_intent(session, intent, IntentState.FAILED, 2)
    look(crash(w))
    assert {i.account for i in w.intents() if i.state != "failed"} == {THIRD}


def test_several_accounts_share_the_bundle(fresh: Fresh, ready: Ready, relay: StandInRelay) -> None:
    w = ready(relayed(fresh, relay), accounts=(OTHER, THIRD))
    daemon, look = by_hand(w)
    look(crash(w))
    assert len(relay.asked) == 1
    block(w, daemon)
    done = liquidations(*fresh)
    assert done[OTHER] == done[THIRD] == 1
    assert [i.state for i in w.intents()] == ["settled", "settled"]


def test_an_update_that_never_lands_leaves_an_expired_intent_and_no_noise(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    relay.behaviour = "swallow"
    w = ready(relayed(fresh, relay))
    daemon, look = by_hand(w)
    before = [a.kind for a in w.alerts()]
    update = crash(w)
    look(update)
    [intent] = w.intents()
    assert intent.state == "rehearsed" and {t.channel for t in w.transactions()} == {"bundle"}
    w.anvil.rpc.call("anvil_dropTransaction", update.hash)
    nonce = w.anvil.rpc.integer("eth_getTransactionCount", w.payer, "latest")
    for _ in range(3):
        block(w, daemon)
    [intent] = w.intents()
    assert intent.state == "expired" and "HealthFactorNotBelowThreshold" in intent.reason
    assert {t.state for t in w.transactions()} == {"replaced"}, "no cancellation was needed"
    assert w.anvil.rpc.integer("eth_getTransactionCount", w.payer, "latest") == nonce
    assert [a.kind for a in w.alerts()] == before
    with w.store.session() as session:
        [episode] = session.exec(select(Episode).where(Episode.threshold == "liquidate")).all()
    assert episode.closed_block is not None
    # The crash that does come finds everything in order: nonces, episode, attempts.
    relay.behaviour = "pass"
    look(crash(w))
    block(w, daemon)
    assert liquidations(*fresh)[OTHER] == 1
    assert [i.state for i in w.intents()] == ["expired", "settled"]
    assert len({t.nonce for t in w.transactions()}) == 2, "the missed bundle's nonces were used again"
    assert {t.state for t in w.transactions() if t.block} == {"final"}
    assert not w.alerts("foreign_nonce")


def test_the_same_update_told_twice_is_one_intent(fresh: Fresh, ready: Ready, relay: StandInRelay) -> None:
    relay.behaviour = "swallow"
    w = ready(relayed(fresh, relay))
    _, look = by_hand(w)
    update = crash(w)
    look(update)
    look(update)
    look(replace(update, hash="0x" + "ab" * 32))
    assert len(w.intents()) == 1 and len(relay.asked) == 1


def test_an_update_that_lands_without_ours_is_acted_on_by_its_block_once(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    relay.behaviour = "swallow"
    w = ready(relayed(fresh, relay))
    daemon, look = by_hand(w)
    look(crash(w))
    relay.behaviour = "pass"
    block(w, daemon)
    assert liquidations(*fresh)[OTHER] == 0
    assert [a.kind for a in w.alerts()].count("below_liquidate") == 1, "told once the block confirms it"
    for _ in range(3):
        block(w, daemon)
    assert liquidations(*fresh)[OTHER] == 1
    assert [i.state for i in w.intents()] == ["settled"]


def test_an_update_that_waits_is_bundled_for_each_next_block(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    relay.behaviour = "swallow"
    w = ready(relayed(fresh, relay))
    daemon, look = by_hand(w)
    watch = daemon.chains["local"].watch
    assert watch is not None
    watch._later = lambda work: work()
    look(crash(w, ahead=1))
    block(w, daemon)
    block(w, daemon)
    assert [i.state for i in w.intents()] == ["expired", "expired", "rehearsed"]
    first = int(relay.asked[0][1]["blockNumber"], 16)
    assert [int(params["blockNumber"], 16) for _, params in relay.asked] == [first, first + 1, first + 2]
    assert len({t.nonce for t in w.transactions()}) == 2 and not w.alerts("action_expired")


def test_what_is_no_update_or_changes_nothing_is_left_alone(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    w = ready(relayed(fresh, relay))
    daemon, look = by_hand(w)
    watch = daemon.chains["local"].watch
    assert watch is not None
    weth = w.market.reserves["WETH"]
    transfer = signed(w, act.mint(w.market, weth, OTHER, 1))
    assert not watch.updates.concerns(transfer)
    look(transfer)
    harmless = crash(w, WELL["WETH"] + 1)
    assert watch.updates.concerns(harmless)
    forwarded = replace(transfer, data="0x6fadcf72" + "00" * 12 + weth.feed[2:].lower())
    assert watch.updates.concerns(forwarded), "a forwarder that is told to call the feed"
    look(harmless)
    # Whoever may not write the feed only seems to update it.
    stranger = replace(crash(w), sender=OTHER, hash="0x" + "cd" * 32, target=w.market.pool)
    look(stranger)
    assert w.intents() == [] and relay.asked == []


def test_protected_accounts_and_a_paused_keeper_wait_for_the_block(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    pause = '[service]\npause_file = "pause"\n'
    w = ready(relayed(fresh, relay) + protect(OTHER) + pause, accounts=(OTHER, THIRD))
    daemon, look = by_hand(w)
    (w.folder / "pause").touch()
    look(crash(w))
    assert relay.asked == [] and w.transactions() == []
    assert [(i.account, i.state) for i in w.intents()] == [(THIRD, "planned")]
    (w.folder / "pause").unlink()
    block(w, daemon)
    assert {i.kind for i in w.intents() if i.account == OTHER} == {"top_up"}


def test_a_price_that_is_not_to_be_believed_is_not_acted_on(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    w = ready(relayed(fresh, relay))
    _, look = by_hand(w)
    look(crash(w, 0))
    assert w.intents() == [] and relay.asked == []


def test_a_thousand_strangers_hide_no_update(fresh: Fresh, ready: Ready, relay: StandInRelay) -> None:
    """They call the feed directly, each from another address; who really writes it was seen before."""
    w = ready(relayed(fresh, relay))
    daemon, look = by_hand(w)
    look(crash(w, WELL["WETH"] + 1))
    block(w, daemon)
    watch = daemon.chains["local"].watch
    assert watch is not None
    later: list[Callable[[], object]] = []
    watch._later = later.append
    update = crash(w)
    for number in range(1_000):
        if number == 500:
            watch._told(update)
        sender, digest = f"0x{number + 1:040x}", f"0x{number + 1:064x}"
        watch._told(replace(update, sender=sender, hash=digest, data=update.data[:10] + "00" * 32))
    for work in later:
        work()
    assert len(w.transactions()) >= 1 and relay.asked
    assert {i.account for i in w.intents()} == {OTHER}
