"""Chains and nodes that are not as Anvil is: tips with a floor, delegated accounts, transfers that take more
gas, gas above the ceiling. What is to be done is done once, and nobody is told anything that is not so."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from keeper.execution import journal
from keeper.execution.rehearsal import with_margin
from keeper.store.tables.journal import Transaction
from tests.integration.execution.conftest import CRASH, OTHER, THIRD, WELL, Fresh, Ready
from tests.support.liquidations import liquidations
from tests.support.positions import ether_for_dollars, fund, protect
from tests.support.rpc_proxy import Refusal, Request, RpcProxy, proxy_to
from tests.support.world import World, account, world

pytestmark = pytest.mark.integration

GWEI = 10**9
WAD = 10**18


def fields(request: Request) -> dict[str, int]:
    """Nonce, tip and gas limit of a raw transaction."""
    found = TypedTransaction.from_bytes(HexBytes(request["params"][0])).as_dict()
    return {name: int(found[name]) for name in ("nonce", "maxPriorityFeePerGas", "gas")}


def asks_for_a_tip(least: int, words: str) -> Callable[[Request], Refusal]:
    """A node that takes no smaller tip, and says so in its own way."""

    def rule(request: Request) -> Refusal:
        if request["method"] != "eth_sendRawTransaction":
            return None
        tip = fields(request)["maxPriorityFeePerGas"]
        return words.format(tip=tip, least=least, gwei=least // GWEI) if tip < least else None

    return rule


def one_at_a_time(fresh: Fresh, payer: str, words: str) -> Callable[[Request], Refusal]:
    """A node that takes only the next transaction of an account with delegated code."""

    def rule(request: Request) -> Refusal:
        if request["method"] != "eth_sendRawTransaction":
            return None
        counted = fresh[0].rpc.integer("eth_getTransactionCount", payer, "latest")
        return words if fields(request)["nonce"] > counted else None

    return rule


def sent(proxy: RpcProxy) -> int:
    return proxy.counts()["eth_sendRawTransaction"]


WORDS = [
    "transaction underpriced: gas tip cap {tip}, minimum needed {least}",
    "priority fee too small, this chain wants {gwei} gwei of it",
    "Sorry, {least} wei is the least here",
]


@pytest.mark.parametrize("words", WORDS)
def test_a_least_tip_is_learnt_from_the_refusal_and_bid_in_the_same_block(
    fresh: Fresh, ready: Ready, words: str
) -> None:
    least = random.Random(words).randrange(21, 40) * GWEI
    with proxy_to(fresh[0].url) as proxy:
        w = ready(rpc=proxy.url)
        proxy.rules.append(asks_for_a_tip(least, words))
        w.step(CRASH)
        assert {t.tip for t in w.transactions() if t.state == "sent"} >= {least}, "no block is lost"
        w.step()
        w.step()
    assert w.health(OTHER) >= WAD
    assert [i.state for i in w.intents()].count("settled") == liquidations(*fresh)[OTHER]
    assert min(t.tip or 0 for t in w.transactions() if t.state == "final") >= least
    assert not [a for a in w.alerts() if a.severity == "critical"]


@pytest.mark.parametrize(
    "words",
    ["gapped-nonce tx from delegated accounts", "in-flight transaction limit reached", "not now, please"],
)
def test_a_delegated_accounts_transactions_go_one_after_another_without_noise(
    fresh: Fresh, ready: Ready, words: str
) -> None:
    with proxy_to(fresh[0].url) as proxy:
        w = ready(
            "[execution]\nreplace_blocks = 2\ncancel_blocks = 4\n", rpc=proxy.url, accounts=(OTHER, THIRD)
        )
        fresh[0].set_code(w.payer, bytes.fromhex("ef0100" + "11" * 20))
        proxy.rules.append(one_at_a_time(fresh, w.payer, words))
        w.step(CRASH)
        assert len(w.transactions()) == 4, "two approvals, two liquidations"
        for _ in range(10):
            w.step()
    assert w.health(OTHER) >= WAD and w.health(THIRD) >= WAD
    assert {i.state for i in w.intents()} == {"settled"}
    assert "cancel" not in {t.purpose for t in w.transactions()}
    assert not [a for a in w.alerts() if a.severity != "info"]
    assert len({t.nonce for t in w.transactions()}) == len(w.transactions()), "and none was signed twice"


def test_a_cancellation_takes_the_gas_that_is_estimated(fresh: Fresh, ready: Ready) -> None:
    takes = 130_000

    def estimate(request: Request, result: object) -> object:
        to_itself = request["method"] == "eth_estimateGas" and (
            request["params"][0]["from"].lower() == request["params"][0]["to"].lower()
        )
        return hex(takes) if to_itself else result

    with proxy_to(fresh[0].url) as proxy:
        w = ready("[execution]\nreplace_blocks = 9\n", rpc=proxy.url)
        proxy.answers.append(estimate)
        fresh[0].set_automine(False)
        w.queue_price("WETH", CRASH["WETH"])
        w.anvil.mine()
        w.work()
        # Both leave the node's pool, and the plan no longer works: a cancellation at each nonce.
        for each in w.transactions():
            fresh[0].rpc.call("anvil_dropTransaction", each.hash)
        w.step(WELL)
        cancels = [t for t in w.transactions() if t.purpose == "cancel"]
    assert cancels and {t.gas_limit for t in cancels} == {with_margin(takes)}


@pytest.mark.parametrize(("takes", "acts"), [(130_000, True), (60_000_000, False)])
def test_gas_that_only_estimates_count_is_weighed_before_a_plan_is_made(
    fresh: Fresh, ready: Ready, takes: int, acts: bool
) -> None:
    """A plan that it eats up is none: nothing is rehearsed, bid for and held up for it."""
    with proxy_to(fresh[0].url) as proxy:
        w = ready(rpc=proxy.url)
        proxy.answers.append(
            lambda request, result: hex(takes) if request["method"] == "eth_estimateGas" else result
        )
        w.step(CRASH)
        assert bool(w.intents()) == acts
    assert bool(w.alerts("cannot_act")) == (not acts) and not w.alerts("not_sent")
    assert all("profit" in each.body for each in w.alerts("cannot_act")), w.alerts()


def test_gas_above_the_ceiling_is_told_at_once_and_is_no_failure_of_the_account(
    fresh: Fresh, tmp_path: Path
) -> None:
    anvil, deployed = fresh
    owner = account(1)
    w = world(anvil, deployed, tmp_path, "[execution]\nmax_gas_price_gwei = 1e-9\n" + protect(owner))
    w.send(*ether_for_dollars(deployed, owner, 10, 18_000), *ether_for_dollars(deployed, OTHER, 10, 19_000))
    fund(w, USDC=1_000_000 * 10**6)
    w.work()
    w.step({"WETH": 2230 * 10**8})
    told = {a.account: a for a in w.alerts("not_sent")}
    assert told[owner.lower()].severity == "critical" and told[OTHER.lower()].severity == "warning"
    assert all("above the ceiling of 1" in a.body for a in told.values()), "the real reason"
    planned = []
    for _ in range(20):
        w.step()
        planned.append(sum(i.account == owner.lower() for i in w.intents()))
    assert w.transactions() == []
    assert planned[-1] >= 4, "planned anew as soon as one is too old: no wait doubles"
    assert len(w.alerts("not_sent")) == 2, "and told once"
    with w.store.session() as session:
        mine = next(i for i in w.intents() if i.account == owner.lower())
        made = journal.attempts(session, mine.episode_id, "top_up", "live")
    assert made.failures_in_a_row == 0
    # Gas is cheap again: acted on in that very block.
    assert w.actor.sender is not None
    free = world(anvil, deployed, tmp_path, protect(owner))
    w.actor.release()
    free.work()
    free.step()
    free.step()
    assert free.health(owner) > 12 * WAD // 10


def test_a_days_limit_is_no_failure_either_and_the_protected_accounts_owner_is_told(
    fresh: Fresh, tmp_path: Path
) -> None:
    anvil, deployed = fresh
    owner = account(1)
    w = world(anvil, deployed, tmp_path, '[execution]\nmax_gas_per_day = "0.000001"\n' + protect(owner))
    w.send(*ether_for_dollars(deployed, owner, 10, 18_000))
    fund(w, USDC=1_000_000 * 10**6)
    w.work()
    for _ in range(12):
        w.step({"WETH": 2230 * 10**8})
    told = [a for a in w.alerts() if a.kind in ("not_sent", "action_refused")]
    assert {a.severity for a in told} == {"critical"} and "max_gas_per_day" in told[0].body
    assert len(told) == 1 and w.transactions() == []
    with w.store.session() as session:
        made = journal.attempts(session, w.intents()[0].episode_id, "top_up", "live")
    assert (made.failures_in_a_row, made.last_block) == (0, None)
    assert 2 <= made.count <= 3, "tried again after a minute, whatever came before"


def test_gas_of_the_day_counts_what_receipts_say_was_charged_besides(fresh: Fresh, ready: Ready) -> None:
    """An OP-like chain: receipts with a data fee a hundred times what the gas costs."""
    fee = 10**16

    def charge(request: Request, result: object) -> object:
        if request["method"] == "eth_getTransactionReceipt" and isinstance(result, dict):
            return {**result, "l1Fee": hex(fee)}
        return result

    with proxy_to(fresh[0].url) as proxy:
        proxy.answers.append(charge)
        w = ready('[execution]\nmax_gas_per_day = "0.03"\n', rpc=proxy.url, accounts=(OTHER, THIRD))
        w.send(*ether_for_dollars(fresh[1], account(4), 10, 17_500))
        w.step(CRASH)
        w.step()
        w.step()
        final: list[Transaction] = [t for t in w.transactions() if t.state == "final"]
        assert final and {t.data_fee for t in final} == {fee}
        w.step({"WETH": 2050 * 10**8})
        for _ in range(3):
            w.step()
    refused = [i for i in w.intents() if i.state == "refused"]
    assert refused and "max_gas_per_day" in refused[0].reason


@pytest.mark.parametrize("least", [299 * GWEI // 10, 900 * GWEI])
def test_a_least_tip_above_the_ceiling_is_told_with_the_nodes_words(
    fresh: Fresh, ready: Ready, least: int
) -> None:
    with proxy_to(fresh[0].url) as proxy:
        w: World = ready("[execution]\nmax_gas_price_gwei = 30\n", rpc=proxy.url)
        proxy.rules.append(asks_for_a_tip(least, "underpriced: minimum tip {least}"))
        w.step(CRASH)
        w.step()
        w.step()
    assert w.health(OTHER) < WAD and max(t.max_fee for t in w.transactions()) <= 30 * GWEI
    [told] = w.alerts("not_sent")
    assert str(least) in told.body
