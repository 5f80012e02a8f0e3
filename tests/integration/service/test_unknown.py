"""Where our arithmetic is not the contract's, the protected may be topped up; nobody is liquidated."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account

from keeper.localchain import aave_actions as act
from keeper.localchain.calldata import calldata
from keeper.service.planning import rehearsal_sizing
from keeper.store.tables.watching import MarketStatus
from tests.integration.service.conftest import Fresh
from tests.support.aave_upgrades import upgrade_arithmetic, upgrade_revision
from tests.support.keeping import KEY
from tests.support.positions import ether_for_dollars, fund, protect
from tests.support.rpc_proxy import deny, proxy_to
from tests.support.world import World, account, world

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("fresh_market", ["3.0.2"], indirect=True)]

OWNER, OTHER = account(1), account(2)
WAD = 10**18
TARGET = 125 * WAD // 100
LOW = {"WETH": 2230 * 10**8}
ON = 'when_unverified = "top_up"'
REPAY = 'steps = [{ action = "repay", asset = "USDC" }]'


def upgraded(market: Fresh, folder: Path, change: str, steps: str = REPAY, more: str = ON) -> World:
    """Two accounts in a market that was upgraded while the keeper ran; only one is protected."""
    anvil, deployed = market
    w = world(anvil, deployed, folder, protect(OWNER, steps, more))
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000), *ether_for_dollars(deployed, OTHER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    if change == "revision":
        upgrade_revision(anvil.rpc, deployed, 77)
    else:
        upgrade_arithmetic(anvil.rpc, deployed, "debt_up")
    anvil.set_automine(False)
    # At a price of exactly 1 nothing is rounded, and the arithmetic would agree.
    w.send(act.set_price(deployed, deployed.reserves["USDC"], 1_00000001))
    return w


def acting(w: World) -> bool:
    with w.store.session() as session:
        found = session.get(MarketStatus, "aave")
    assert found is not None
    return found.may_act


@pytest.mark.parametrize("change", ["revision", "arithmetic"])
@pytest.mark.parametrize("action", ["repay", "supply"])
def test_the_contract_sizes_the_top_up_and_nobody_is_liquidated(
    fresh_market: Fresh, tmp_path: Path, change: str, action: str
) -> None:
    asset = {"repay": "USDC", "supply": "WETH"}[action]
    steps = f'steps = [{{ action = "{action}", asset = "{asset}" }}]'
    w = upgraded(fresh_market, tmp_path, change, steps)
    fund(w, WETH=10**21)
    for _ in range(4):
        w.step(LOW)
    assert not acting(w)
    assert w.health(OTHER) < WAD, "there was something to liquidate"
    [intent] = w.intents()
    assert (intent.kind, intent.state) == ("top_up", "settled")
    assert "by the contract's own view" in intent.summary
    assert TARGET - TARGET // 10_000 <= w.health(OWNER) <= TARGET * 1003 // 1000
    assert [a.kind for a in w.alerts("watch_only")] == ["watch_only"]


def test_without_the_configuration_nothing_is_done(fresh_market: Fresh, tmp_path: Path) -> None:
    w = upgraded(fresh_market, tmp_path, "revision", more="")
    for _ in range(4):
        w.step(LOW)
    assert not acting(w)
    assert w.intents() == []


def test_a_cap_that_does_not_reach_the_target_is_spent_and_no_more(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w = upgraded(fresh_market, tmp_path, "revision")
    fund(w)
    data = calldata("transfer(address,uint256)", "0x" + "99" * 20, w.balance("USDC") - 500 * 10**6)
    w.send({"from": w.payer, "to": w.market.reserves["USDC"].asset, "data": data})
    for _ in range(5):
        w.step({"WETH": 2150 * 10**8})
    assert [i.state for i in w.intents()] == ["settled"]
    assert w.balance("USDC") == 0
    assert "none to pay with" in w.alerts("cannot_act")[-1].body


def test_rehearsals_are_bounded_and_a_node_that_cannot_simulate_is_named(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    anvil, deployed = fresh_market
    with proxy_to(anvil.url) as proxy:
        upgraded(fresh_market, tmp_path, "arithmetic")
        again = world(anvil, deployed, tmp_path, protect(OWNER, REPAY, ON), rpc=proxy.url)
        again.work()
        proxy.forget()
        again.step(LOW)
        # Tokens that want zero first take two simulations a rehearsal; the acting loop adds its own.
        assert 1 < proxy.counts()["eth_simulateV1"] <= 2 * rehearsal_sizing.MOST_REHEARSALS + 2
        [intent] = again.intents()
        assert intent.state == "rehearsed"
    with proxy_to(anvil.url) as proxy:
        proxy.rules.append(deny("eth_simulateV1"))
        # Nor any code laid over the signer's address, by which it would be rehearsed instead.
        payer = Account.from_key(KEY).address.lower()
        proxy.rules.append(
            lambda r: (
                "no"
                if r["method"] == "eth_call" and len(r["params"]) > 2 and payer in str(r["params"][2]).lower()
                else None
            )
        )
        folder = tmp_path / "other"
        folder.mkdir()
        other = world(anvil, deployed, folder, protect(OWNER, REPAY, ON), rpc=proxy.url)
        anvil.rpc.call("anvil_dropAllTransactions")
        other.work()
        other.step(LOW)
        assert other.intents() == []
        assert "needs a rehearsal" in other.alerts("cannot_act")[0].body
