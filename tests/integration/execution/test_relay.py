"""Private relays, against a stand-in: what goes there, what happens when nothing comes of it, and bundles
behind an oracle's update."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.chain.backrun import ADAPTERS, Kind, PendingUpdate
from keeper.execution import backrun
from keeper.execution.rehearsal import rehearse
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import queue
from keeper.model.plan import Plan
from tests.integration.execution.conftest import CRASH, OTHER, WELL, Fresh, Ready
from tests.support.faulty_node import faulty
from tests.support.liquidations import liquidations
from tests.support.rpc_proxy import proxy_to
from tests.support.standin_relay import StandInRelay, standin_relay
from tests.support.ticks import look
from tests.support.world import World

pytestmark = pytest.mark.integration


@pytest.fixture
def relay(fresh: Fresh) -> Iterator[StandInRelay]:
    with standin_relay(fresh[0].rpc) as running:
        yield running


def relayed(relay: StandInRelay, kind: str = "private-transaction", blocks: int = 3) -> str:
    return f"""
[chains.local.relay]
url = "{relay.url}"
kind = "{kind}"
fallback_blocks = {blocks}
"""


@pytest.mark.parametrize(
    ("kind", "method"), [("private-transaction", "eth_sendPrivateTransaction"), ("bundle", "eth_sendBundle")]
)
def test_with_a_relay_nothing_goes_to_the_public_pool(
    fresh: Fresh, ready: Ready, relay: StandInRelay, kind: str, method: str
) -> None:
    with proxy_to(fresh[0].url) as node:
        w = ready(relayed(relay, kind), rpc=node.url)
        w.step(CRASH)
        w.step()
        assert node.counts()["eth_sendRawTransaction"] == 0
    assert [i.state for i in w.intents()] == ["settled"]
    asked = [each for each in relay.asked if each[0] == method]
    assert len(asked) == len(relay.asked) == 2 and relay.unsigned == 0
    block = w.heads[1].number
    if kind == "bundle":
        assert {params["blockNumber"] for _, params in asked} == {hex(block + 1)}
    else:
        assert {params["maxBlockNumber"] for _, params in asked} == {hex(block + 3)}


@pytest.mark.parametrize("behaviour", ["swallow", "refuse"])
def test_after_so_many_blocks_it_goes_to_the_public_pool_and_silence_is_told(
    fresh: Fresh, ready: Ready, relay: StandInRelay, behaviour: str
) -> None:
    relay.behaviour = behaviour  # type: ignore[assignment]
    with proxy_to(fresh[0].url) as node:
        w = ready("[execution]\nreplace_blocks = 20\n" + relayed(relay), rpc=node.url)
        w.step(CRASH)
        for _ in range(2):
            w.step()
            assert node.counts()["eth_sendRawTransaction"] == 0
        w.step()
        assert node.counts()["eth_sendRawTransaction"] >= 2
        for _ in range(3):
            w.step()
    assert w.intents()[0].state == "settled"
    told = w.alerts("relay_silent")
    if behaviour == "swallow":
        assert {a.account for a in told} == {w.payer} and len(told) == 2, "once a transaction"
    else:
        assert told == [], "a relay that refuses is not silent"


def update_of(w: World) -> PendingUpdate:
    """The crash as the oracle's transaction that waits in the pool."""
    before = {str(t) for t in _pool(w)}
    queue(w.anvil, act.set_price(w.market, w.market.reserves["WETH"], CRASH["WETH"]))
    [digest] = {str(t) for t in _pool(w)} - before
    found = w.deciding.pool.call("eth_getTransactionByHash", digest)
    raw = "0x02" + "00"  # the stand-in does not look into it: the node has the update already
    return PendingUpdate(found["from"], found["to"], found["input"], digest, raw)


def _pool(w: World) -> list[str]:
    block = w.deciding.pool.call("eth_getBlockByNumber", "pending", False)
    return [str(each) for each in block["transactions"]]


def plan_behind(w: World) -> None:
    """An intent as the deciding loop makes it once the price has fallen, committed before it has."""
    snapshot = w.anvil.snapshot()
    w.queue_price("WETH", CRASH["WETH"])
    w.anvil.mine()
    head = w.deciding.next_head()
    assert head is not None
    look(w.deciding, head)
    w.anvil.revert(snapshot)
    # The block that was decided at is none any more.
    w.deciding.pool.worked_at = None


@pytest.mark.parametrize("kind", ["svr", "mev-share"])
def test_a_plan_is_rehearsed_on_top_of_a_pending_update_and_bundled_behind_it(
    fresh: Fresh, ready: Ready, relay: StandInRelay, kind: Kind
) -> None:
    w = ready(relayed(relay, "bundle"))
    relay.behaviour = "swallow"
    plan_behind(w)
    update = update_of(w)
    [intent] = w.intents()
    head, sender = w.heads[-1], w.actor.sender
    assert sender is not None
    timestamp = head.timestamp + 12
    plan = Plan.from_json(intent.plan)
    alone = rehearse(sender.pool, sender.address, plan, [], timestamp)
    assert "HealthFactorNotBelowThreshold" in alone.problem, "before the update it does not work"
    assert rehearse(sender.pool, sender.address, plan, [backrun.action_of(update)], timestamp).ok
    assert backrun.bundle_behind(sender, [intent], update, ADAPTERS[kind], head, timestamp)
    method, params = relay.asked[-1]
    ours = [t.raw for t in w.transactions()]
    block = hex(head.number + 1)
    if kind == "svr":
        assert (method, params) == ("eth_sendBundle", {"txs": [update.raw, *ours], "blockNumber": block})
    else:
        assert method == "mev_sendBundle"
        assert params["inclusion"] == {"block": block, "maxBlock": block}
        assert params["body"] == [{"hash": update.hash}, *({"tx": raw, "canRevert": False} for raw in ours)]
    assert {(t.state, t.channel) for t in w.transactions()} == {("sent", "bundle")}
    # The builder does as it was asked: the update, then ours, in one block.
    for raw in ours:
        fresh[0].rpc.call("eth_sendRawTransaction", raw)
    fresh[0].mine()
    w.work()
    assert w.intents()[0].state == "settled" and liquidations(*fresh)[OTHER] == 1


def test_without_a_relay_a_pending_update_is_waited_for(fresh: Fresh, ready: Ready) -> None:
    w = ready()
    plan_behind(w)
    update = update_of(w)
    [intent] = w.intents()
    sender = w.actor.sender
    assert sender is not None and sender.relay is None
    assert not backrun.bundle_behind(sender, [intent], update, ADAPTERS["svr"], w.heads[-1], 0)
    assert w.transactions() == []


def test_a_bundle_that_its_block_did_not_take_is_let_go_without_a_cancellation(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    relay.behaviour = "swallow"
    w = ready(relayed(relay, "bundle", blocks=9))
    nonce = fresh[0].rpc.integer("eth_getTransactionCount", w.payer, "latest")
    w.step(CRASH)
    w.step()
    assert w.intents()[0].state == "rehearsed" and len(relay.asked) == 4, "offered again while it works"
    w.step(WELL)
    assert w.intents()[0].state == "expired"
    assert {t.purpose for t in w.transactions()} == {"approve", "act"}
    assert {t.state for t in w.transactions()} == {"replaced"}
    assert not [a for a in w.alerts() if a.kind.startswith("action_")], "needless is not told"
    relay.behaviour = "pass"
    w.step(CRASH)
    w.step()
    assert [i.state for i in w.intents()] == ["expired", "settled"]
    assert {t.nonce for t in w.transactions() if t.block} == {nonce, nonce + 1}
    assert not w.alerts("foreign_nonce")


def test_what_went_to_the_public_pool_too_is_cancelled(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    relay.behaviour = "swallow"
    with faulty(fresh[0].url) as node:
        w = ready("[execution]\nreplace_blocks = 20\n" + relayed(relay, "bundle", blocks=2), rpc=node.url)
        node.holds = True
        for prices in (CRASH, None, None):
            w.step(prices)
        assert {t.channel for t in w.transactions()} == {"public"}
        w.step(WELL)
    assert "cancel" in {t.purpose for t in w.transactions()}, "anybody may have seen it"


def test_a_bundle_whose_transaction_a_block_showed_is_cancelled(
    fresh: Fresh, ready: Ready, relay: StandInRelay
) -> None:
    w = ready("[execution]\nconfirmations = 40\n" + relayed(relay, "bundle", blocks=9))
    w.step(CRASH)
    w.step()
    assert w.intents()[0].state == "settled"
    relay.behaviour = "swallow"
    fresh[0].reorg(1)
    w.queue_price("WETH", WELL["WETH"])
    fresh[0].mine()
    w.work()
    w.step()
    assert "cancel" in {t.purpose for t in w.transactions()}, "a block has shown it to everybody"


def test_an_intent_that_was_not_sent_in_time_is_told(fresh: Fresh, ready: Ready) -> None:
    w = ready("[execution]\nmax_gas_price_gwei = 1e-9\nplan_blocks = 2\n")
    w.step(CRASH)
    for _ in range(3):
        w.step()
    assert w.intents()[0].state == "expired" and w.transactions() == []
    told = w.alerts("action_expired")
    assert told and {a.severity for a in told} == {"warning"} and "not sent in time" in told[0].body
