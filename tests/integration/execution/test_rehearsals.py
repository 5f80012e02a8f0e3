"""Plans are rehearsed whole with whatever nodes offer: by simulation, or in one call as the signer. Where
state overrides are refused as well it is one action a block, and that is said."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from keeper.chain import blocks
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.execution.rehearsal import means, rehearse
from keeper.localchain import aave_actions as act
from keeper.localchain.calldata import calldata
from keeper.model.plan import Check, Plan, Spend
from tests.integration.execution.conftest import CRASH, OTHER, Fresh, Ready
from tests.support.liquidations import liquidations
from tests.support.positions import protect
from tests.support.rpc_proxy import Request, RpcProxy, proxy_to
from tests.support.world import World

pytestmark = pytest.mark.integration

WAD = 10**18
NO_SIMULATION: list[int | str] = ["the method does not exist", "nope", 400, 403, 404]


def _without(*what: str, refusal: int | str = "nope") -> Any:
    def rule(request: Request) -> int | str | None:
        overriding = request["method"] == "eth_call" and len(request["params"]) > 2
        if request["method"] == "eth_simulateV1" and "simulation" in what:
            return refusal
        own = overriding and any(len(each.get("code", "")) > 4 for each in request["params"][2].values())
        return refusal if own and "overrides" in what else None

    return rule


def _top_up(w: World, amount: int, at_least: int) -> Plan:
    """Supply WETH for the account, which must then have this health."""
    weth = w.market.reserves["WETH"].asset
    return Plan(
        market="aave",
        account=OTHER,
        kind="top_up",
        action="supply",
        target=w.market.pool,
        data=calldata("supply(address,uint256,address,uint16)", weth, amount, OTHER, 0),
        spend=Spend(weth, w.market.pool, amount),
        spend_base=0,
        gain_base=0,
        gas=0,
        summary={},
        postcondition=Check(w.market.pool, calldata("getUserAccountData(address)", OTHER), 5, at_least),
        errors="aave_v3_errors",
    )


def _pool(proxy: RpcProxy) -> NodePool:
    return NodePool("local", Chain(chain_id=31337, rpc=[proxy.url]))


@pytest.fixture
def rich(fresh: Fresh, ready: Ready) -> World:
    w = ready()
    w.send(act.mint(w.market, w.market.reserves["WETH"], w.payer, 10**19))
    w.anvil.mine()
    return w


@pytest.mark.parametrize("refusal", NO_SIMULATION)
def test_one_call_as_the_signer_says_what_a_simulation_says(rich: World, refusal: int | str) -> None:
    w = rich
    with proxy_to(w.anvil.url) as proxy:
        pool = _pool(proxy)
        timestamp = blocks.latest(pool).timestamp + 12
        health = w.health(OTHER)
        plans = [
            _top_up(w, 10**18, health),
            _top_up(w, 10**18, 10 * WAD),
            _top_up(w, 10**22, health),
        ]
        simulated = [rehearse(pool, w.payer, plan, (), timestamp) for plan in plans]
        assert means(pool, w.payer, timestamp) == "simulation"
        proxy.rules.append(_without("simulation", refusal=refusal))
        pool = _pool(proxy)
        called = [rehearse(pool, w.payer, plan, (), timestamp) for plan in plans]
        assert means(pool, w.payer, timestamp) == "as signer"
    assert [each.ok for each in simulated] == [each.ok for each in called] == [True, False, False]
    assert [each.problem for each in simulated] == [each.problem for each in called]
    assert called[0].complete and [a.purpose for a in called[0].actions] == ["approve", "act"]
    for ours, theirs in zip(called[0].gas, simulated[0].gas, strict=True):
        assert theirs * 9 // 10 <= ours <= theirs * 2


def test_without_overrides_too_it_goes_step_by_step_and_says_so(rich: World) -> None:
    w = rich
    with proxy_to(w.anvil.url) as proxy, capture_logs() as said:
        proxy.rules.append(_without("simulation", "overrides"))
        pool = _pool(proxy)
        timestamp = blocks.latest(pool).timestamp + 12
        assert means(pool, w.payer, timestamp) == "step by step"
        found = rehearse(pool, w.payer, _top_up(w, 10**18, WAD), (), timestamp)
    assert found.ok and not found.complete and [a.purpose for a in found.actions] == ["approve"]
    assert "rehearsed step by step" in {each["event"] for each in said}


def test_a_crash_at_a_node_without_simulation(fresh: Fresh, ready: Ready) -> None:
    """Allowance and action go out in the block that asks for them, as anywhere."""
    with proxy_to(fresh[0].url) as proxy:
        proxy.rules.append(_without("simulation", refusal=403))
        w = ready(rpc=proxy.url)
        w.step(CRASH)
        w.step()
        assert liquidations(*fresh)[OTHER] == 1
        assert {t.purpose for t in w.transactions()} >= {"approve", "act"}


def test_accounts_are_valued_while_no_node_tells_of_receipts(fresh: Fresh, ready: Ready) -> None:
    """What became of our transactions waits; prices do not, and nothing is signed meanwhile."""
    with proxy_to(fresh[0].url) as proxy:
        w = ready(protect(OTHER), rpc=proxy.url)
        w.step(CRASH)
        assert {t.state for t in w.transactions()} == {"sent"}
        proxy.rules.append(
            lambda r: (
                "transaction indexing is in progress"
                if r["method"] in ("eth_getTransactionReceipt", "eth_getBlockReceipts")
                else None
            )
        )
        before = len(w.transactions())
        w.step({"WETH": 2300 * 10**8})
        assert w.deciding.head is not None and w.deciding.head.number == w.anvil.block_number()
        assert len(w.transactions()) == before and {t.state for t in w.transactions()} == {"sent"}
        proxy.rules.clear()
        w.step()
        assert {i.state for i in w.intents()} == {"settled"}


def test_what_no_node_finds_by_its_hash_is_settled_by_its_block(fresh: Fresh, ready: Ready) -> None:
    with proxy_to(fresh[0].url) as proxy:
        proxy.rules.append(
            lambda r: (
                "transaction indexing is in progress" if r["method"] == "eth_getTransactionReceipt" else None
            )
        )
        w = ready(protect(OTHER), rpc=proxy.url)
        w.step(CRASH)
        w.step()
        assert {i.state for i in w.intents()} == {"settled"}
