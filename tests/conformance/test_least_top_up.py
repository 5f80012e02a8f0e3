"""A top-up is minimal: by the contract's own view its amount reaches the target, one unit less does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keeper.chain import blocks
from keeper.chain.calls import answers_to
from keeper.config.policy import Action, Step
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.transactions import Tx, queue, send_batch
from keeper.model.cure import CureRequest
from keeper.model.plan import NATIVE, Plan
from tests.conformance.exchange import PAYER
from tests.conformance.test_conformance import CASES
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, reading, valued

pytestmark = pytest.mark.integration

PLENTY = 10**40
ENDLESS = 2**256 - 1
COINS = 10**26
# Debts repaid and collaterals added, by the names that the cases' protections use.
STEPS: dict[str, dict[Action, str]] = {
    "liquity": {"repay": "MUSD", "add_collateral": NATIVE},
    "synthetix-v3": {"repay": "snxUSD", "add_collateral": "snxUSD"},
    "perp-v2": {"add_collateral": "USDC"},
    "perp-2.8.4": {"add_collateral": "USDC"},
    "lyra-avalon": {"add_collateral": "sUSD"},
    "clearinghouse": {"add_collateral": "USDC"},
    **{
        name: {"repay": "USDC", "add_collateral": "WETH"}
        for name in ("morpho-blue", "compound-v3", "aave-3.0.2", "aave-3.6")
    },
}


@pytest.mark.parametrize(("protocol", "action"), [(name, each) for name in CASES for each in STEPS[name]])
def test_one_unit_less_misses_the_target(protocol: str, action: Action, tmp_path: Path) -> None:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        case = CASES[protocol](anvil)
        account = case.near(case.owner)
        anvil.set_balance(PAYER, COINS)
        send_batch(anvil.rpc, [*case.hold(), *case.fund(PAYER)])
        send_batch(anvil.rpc, case.fall())
        anvil.set_automine(False)
        run = reading(anvil, case.toml(), tmp_path)
        valued(run)
        head, state, adapter = blocks.latest(run.book.pool), run.book.state, run.adapter
        answers = answers_to(run.book.pool, head, adapter.planner.planning_calls(state, [account], PAYER))
        facts = replace(adapter.planner.read_planning(state, [account], PAYER, answers), payer=PAYER)
        timestamp = head.timestamp + BLOCK_SECONDS
        # Not a round one, so that nothing is met by accident.
        target = case.target - 10**15 + 7
        purse = replace(facts, funds=dict.fromkeys(adapter.planner.assets(state, facts), PLENTY))
        steps = [Step(action=action, asset=STEPS[protocol][action])]
        request = CureRequest(account, timestamp, purse, steps, target, PLENTY * PLENTY)
        plan = adapter.planner.plan_top_up(state, run.book.accounts[account], request)
        assert isinstance(plan, Plan), plan
        assert _fails(anvil, plan), "before the top-up its postcondition does not hold"
        healths = []
        for less in (0, 1):
            snapshot = anvil.snapshot()
            anvil.set_next_timestamp(timestamp)
            for tx in _carried_out(plan, less):
                queue(anvil, tx)
            anvil.mine()
            after = run.book.views(blocks.latest(run.book.pool), [account])[account].health
            healths.append(ENDLESS if after is None else after)
            assert less or not _fails(anvil, plan), "after it, it does"
            anvil.revert(snapshot)
        assert healths[0] >= target > healths[1] > 0, (plan.spend, healths)
        assert healths[0] == int(plan.summary["health_after"]), "as it was planned"


def _fails(anvil: Anvil, plan: Plan) -> str:
    """Why the plan's postcondition does not hold now."""
    check = plan.postcondition
    assert check is not None, "every top-up has one"
    answer = anvil.rpc.text("eth_call", {"to": check.target, "data": check.data}, "latest")[2:]
    return check.failure(int(answer[64 * check.word : 64 * (check.word + 1)], 16))


def _carried_out(plan: Plan, less: int) -> list[Tx]:
    """The plan's own calls with so many units less."""
    amount = plan.spend.amount
    word, other = f"{amount:064x}", f"{amount - less:064x}"
    assert plan.value or plan.data.count(word) == 1
    call: Tx = {"from": PAYER, "to": plan.target, "data": plan.data.replace(word, other), "gas": 3_000_000}
    if plan.value:
        call["value"] = plan.value - less
    if not plan.spend.spender:
        return [call]
    allow = calldata("approve(address,uint256)", plan.spend.spender, amount)
    return [{"from": PAYER, "to": plan.spend.token, "data": allow, "gas": 200_000}, call]
