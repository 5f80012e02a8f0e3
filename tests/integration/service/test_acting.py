"""Both loops against the real market: who is topped up or liquidated, with what, how often, and when not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keeper.chain.blocks import Head
from keeper.execution import journal
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import Tx, queue
from tests.conftest import GENESIS
from tests.support.plans import written_plan
from tests.support.ticks import act_again, look
from tests.support.world import World, account, config_text, open_market, world

pytestmark = pytest.mark.integration

OWNER, OTHER = account(1), account(2)
DAY = 24 * 3600
WAD = 10**18


@pytest.fixture(params=["3.0.2", "3.6"])
def market(request: pytest.FixtureRequest) -> Iterator[tuple[Anvil, AaveDeployment]]:
    """A fresh market of either version, with liquidity; USDC wants zero first, as USDT does."""
    specs, emodes = demo_market()
    specs = [
        spec if spec.symbol != "USDC" else type(spec)(**{**vars(spec), "kind": "zero_first"})
        for spec in specs
    ]
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        deploy = {"3.0.2": deploy_v302, "3.6": deploy_v36}[request.param]
        deployed = deploy(anvil.rpc, specs, emodes)
        open_market(anvil, deployed)
        yield anvil, deployed


def position(market: AaveDeployment, who: str, ether: int, dollars: int) -> list[Tx]:
    """`ether` whole WETH against `dollars` whole USDC."""
    return [
        *act.mint_and_supply(market, market.reserves["WETH"], who, ether * 10**18),
        act.borrow(market, market.reserves["USDC"], who, dollars * 10**6),
    ]


def fund(w: World, **amounts: int) -> None:
    reserves = w.market.reserves
    w.send(*(act.mint(w.market, reserves[symbol], w.payer, amount) for symbol, amount in amounts.items()))
    w.anvil.set_balance(w.payer, 10**19)


def protect(steps: str = "", cap: str = "1000000", target: str = "1.25") -> str:
    return f"""
[[protect]]
market = "aave"
account = "{OWNER}"
target = {target}
max_spend_per_owner_day = "{cap}"
{steps}
"""


def test_liquidates_in_halves_until_healthy_and_leaves_no_allowance(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path)
    w.send(*position(deployed, OTHER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    w.step({"WETH": 2260 * 10**8})
    assert WAD * 95 // 100 < w.health(OTHER) < WAD
    assert [i.kind for i in w.intents()] == ["liquidate"]
    while w.health(OTHER) < WAD:
        w.step()
        assert len(w.heads) < 12
    w.step()
    w.step()
    assert {i.state for i in w.intents()} == {"settled"}
    assert w.allowance("USDC") == 0
    assert w.balance("WETH") > 0
    assert all(t.state == "final" for t in w.transactions())
    taken = w.alerts("action_taken")
    assert len(taken) == len(w.intents())
    assert all(w.transactions()[0].hash[:2] == "0x" and "transaction: 0x" in a.body for a in taken)


def test_top_up_by_supply_is_minimal_in_the_block_that_includes_it(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, protect('steps = [{ action = "supply", asset = "WETH" }]'))
    w.send(*position(deployed, OWNER, 10, 18_000))
    fund(w, WETH=10**21)
    w.work()
    w.step({"WETH": 2230 * 10**8})
    assert w.health(OWNER) < 105 * WAD // 100
    snapshot = anvil.snapshot()
    w.step()
    target = 125 * WAD // 100
    assert w.health(OWNER) >= target
    supplied = 10**21 - w.balance("WETH")
    w.step()
    assert [i.state for i in w.intents()] == ["settled"]
    # The same block again, by hand, with one unit less: not enough.
    anvil.revert(snapshot)
    reserve = deployed.reserves["WETH"]
    anvil.rpc.call("anvil_dropAllTransactions")
    queue(anvil, act.approve(deployed, reserve, w.payer))
    queue(anvil, _supply_for(deployed, w.payer, supplied - 1))
    anvil.mine()
    assert target - 10**13 < w.health(OWNER) < target


def _supply_for(market: AaveDeployment, payer: str, amount: int) -> Tx:
    tx = act.supply(market, market.reserves["WETH"], payer, amount)
    return {**tx, "data": tx["data"].replace(payer[2:].lower(), OWNER[2:].lower())}


def test_top_up_by_repaying_with_a_token_that_wants_zero_first(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, protect('steps = [{ action = "repay", asset = "USDC" }]'))
    w.send(*position(deployed, OWNER, 10, 18_000))
    fund(w, USDC=100_000 * 10**6)
    # An allowance that an earlier life of this key left standing.
    w.send({**act.approve(deployed, deployed.reserves["USDC"], w.payer, 7)})
    w.work()
    w.step({"WETH": 2230 * 10**8})
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100
    w.step()
    assert [(i.kind, i.state) for i in w.intents()] == [("top_up", "settled")]
    assert [t.purpose for t in w.transactions()] == ["approve", "approve", "act"]
    assert w.allowance("USDC") == 0


def test_without_steps_debt_is_repaid_first_then_collateral_is_supplied(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, protect())
    w.send(*position(deployed, OWNER, 10, 18_000))
    fund(w, WETH=10**21)
    w.work()
    w.step({"WETH": 2230 * 10**8})
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100
    assert '"add collateral"' in w.intents()[0].summary, "no USDC to repay with, so collateral is supplied"


def test_a_daily_cap_stretches_a_top_up_over_days(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    steps = 'steps = [{ action = "repay", asset = "USDC" }]'
    w = world(anvil, deployed, tmp_path, protect(steps, cap="500"))
    w.send(*position(deployed, OWNER, 10, 18_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    w.step({"WETH": 2180 * 10**8})
    for _ in range(5):
        w.step()
    assert 100_000 * 10**6 - w.balance("USDC") == 500 * 10**6
    assert [i.state for i in w.intents()] == ["settled"]
    assert w.alerts("cannot_act"), "the owner is told that the cap is used up"
    anvil.set_next_timestamp(w.heads[-1].timestamp + DAY + 60)
    w.step()
    w.step()
    w.step()
    assert 100_000 * 10**6 - w.balance("USDC") == 1000 * 10**6


def test_two_chains_that_plan_at_once_do_not_spend_an_owners_cap_twice(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other chain's intent is written after this one read the budget, before it writes its own."""
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, protect(cap="20000"))
    w.send(*position(deployed, OWNER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    plan = w.deciding.planning.plan

    def meanwhile(head: Head, *known: Any) -> Any:
        found = plan(head, *known)
        with w.store.session() as session:
            for wanted, _ in found:
                elsewhere = written_plan("other", OWNER.lower(), "top_up")
                episode = wanted.episode.id or 0
                journal.commit(session, "other", head, elsewhere, episode, "live", spend=19_000 * WAD)
        return found

    monkeypatch.setattr(w.deciding.planning, "plan", meanwhile)
    w.step({"WETH": 2300 * 10**8})
    spent = [i.spend for i in w.intents() if i.state in ("planned", "rehearsed", "settled")]
    assert sum(spent) <= 20_000 * WAD
    assert [i.state for i in w.intents() if i.market == "aave"] == ["refused"]
    assert w.transactions() == []


def test_a_protected_account_is_never_liquidated_by_its_own_keeper(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, protect('steps = [{ action = "supply", asset = "WETH" }]'))
    w.send(*position(deployed, OWNER, 10, 18_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    w.step({"WETH": 1500 * 10**8})
    w.step()
    assert w.health(OWNER) < WAD
    assert w.intents() == []
    told = w.alerts("cannot_act")
    assert len(told) == 1 and "no WETH to pay with" in told[0].body
    assert w.alerts("below_liquidate")[0].severity == "critical"


def test_a_dry_run_plans_and_rehearses_but_sends_nothing_and_blocks_no_live_run(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    dry = world(anvil, deployed, tmp_path, live=False)
    dry.send(*position(deployed, OTHER, 10, 19_000))
    fund(dry, USDC=100_000 * 10**6)
    dry.work()
    dry.step({"WETH": 2260 * 10**8})
    dry.step()
    dry.step()
    assert [(i.mode, i.state) for i in dry.intents()] == [("dry", "settled")]
    assert dry.transactions() == []
    live = world(anvil, deployed, tmp_path, live=True)
    live.work()
    live.step()
    live.step()
    assert ("live", "settled") in [(i.mode, i.state) for i in live.intents()]
    assert live.health(OTHER) > dry.intents()[0].health


def test_an_account_without_profit_is_left_alone_and_why_is_told_once(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, "[policy]\nmin_profit = 5000\n")
    w.send(*position(deployed, OTHER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    for _ in range(4):
        w.step({"WETH": 2260 * 10**8})
    assert w.intents() == []
    assert len(w.alerts("cannot_act")) == 1


def test_a_liquidation_that_is_no_longer_needed_expires_at_rehearsal_without_noise(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path)
    w.send(*position(deployed, OTHER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    w.queue_price("WETH", 2260 * 10**8)
    anvil.mine()
    look(w.deciding)
    # Between planning and acting the price recovers: the plan is obsolete.
    w.queue_price("WETH", 2500 * 10**8)
    anvil.mine()
    act_again(w.loops)
    [intent] = w.intents()
    assert intent.state == "expired"
    assert not [a for a in w.alerts() if a.kind.startswith("action_")]
    assert "HEALTH_FACTOR_NOT_BELOW_THRESHOLD" in intent.reason or "HealthFactorNotBelow" in intent.reason
    assert w.transactions() == []


def test_a_restart_between_signing_and_sending_sends_the_same_transaction_once(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path, protect('steps = [{ action = "repay", asset = "USDC" }]'))
    w.send(*position(deployed, OWNER, 10, 18_000))
    fund(w, USDC=100_000 * 10**6)
    w.work()
    with monkeypatch.context() as broken:
        broken.setattr("keeper.execution.loop.send", _dies)
        with pytest.raises(KeyboardInterrupt):
            w.step({"WETH": 2230 * 10**8})
    signed = [t.hash for t in w.transactions()]
    assert signed and all(t.state == "signed" for t in w.transactions())
    again = world(anvil, deployed, tmp_path, protect('steps = [{ action = "repay", asset = "USDC" }]'))
    again.work()
    again.step()
    again.step()
    assert [t.hash for t in again.transactions()] == signed
    assert [i.state for i in again.intents()] == ["settled"]
    assert again.health(OWNER) >= 125 * WAD // 100 - WAD // 1000


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_several_breaches_share_the_inventory_and_promise_nothing_twice(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path
) -> None:
    anvil, deployed = market
    w = world(anvil, deployed, tmp_path)
    crowd = [account(10 + n) for n in range(4)]
    for who in crowd:
        w.send(*position(deployed, who, 10, 19_000))
    fund(w, USDC=20_000 * 10**6)
    w.work()
    w.step({"WETH": 2260 * 10**8})
    planned = [i for i in w.intents() if i.ended_block is None]
    assert 1 <= len(planned) <= 3
    assert sum(i.spend for i in planned) <= 20_001 * 10**18
    for _ in range(4):
        w.step()
    assert not [i for i in w.intents() if i.state in ("failed", "refused")]


def test_settings_reach_the_store_by_the_environment(
    market: tuple[Anvil, AaveDeployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anvil, deployed = market
    monkeypatch.setenv("KEEPER_STORE__URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    world(anvil, deployed, tmp_path, config_text(anvil, deployed)[:0]).work()
    assert (tmp_path / "elsewhere.db").exists()
