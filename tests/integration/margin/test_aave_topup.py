"""A planned top-up is minimal on chain: its amount reaches the target, one unit less does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from keeper.chain.calldata import encoded
from keeper.chain.calls import answers_to
from keeper.config.policy import Step
from keeper.localchain.aave_actions import STABLE_RATE, VARIABLE_RATE
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, RpcRefusedError
from keeper.localchain.transactions import Tx, send_batch
from keeper.margin.lending.aave import topup
from keeper.margin.lending.aave.fixed import WAD
from keeper.margin.lending.aave.health import AccruedMarket, account_data
from keeper.model.cure import CureRequest
from keeper.model.plan import Blocked, Plan
from keeper.model.purse import Purse
from keeper.protocols.aave_v3 import calls
from keeper.protocols.aave_v3.market import AaveV3Market
from tests.support import random_market as rnd
from tests.support.crowd import COUNT, Crowd

pytestmark = pytest.mark.integration

PLENTY = 10**60


@dataclass(frozen=True)
class Scene:
    """A crowd, what planning knows about it, and the market in the next block at its timestamp."""

    crowd: Crowd
    adapter: AaveV3Market
    facts: Purse
    timestamp: int
    market: AccruedMarket

    def plan(self, account: str, step: Step, target: int) -> Plan | Blocked:
        """The adapter's own plan, with funds and budget without end."""
        funds = {reserve.asset: PLENTY for reserve in self.crowd.state.reserves.values()}
        book = self.crowd.book
        raw = book.accounts[account]
        purse = replace(self.facts, funds=funds)
        request = CureRequest(account, self.timestamp, purse, [step], target, PLENTY)
        return self.adapter.planner.plan_top_up(book.state, raw, request)

    def health(self, account: str) -> int:
        return account_data(self.crowd.book.accounts[account], self.market).health

    def debtors(self) -> list[str]:
        """Accounts with collateral and debt; their health can be raised and is not zero."""
        return [
            account
            for account, raw in self.crowd.book.accounts.items()
            if account_data(raw, self.market).has_debt and self.health(account)
        ]


@dataclass(frozen=True)
class TopUp:
    """One planned action and the health (1e18) it was planned for."""

    account: str
    kind: str
    symbol: str
    target: int
    plan: Plan

    def tx(self, crowd: Crowd, amount: int) -> Tx:
        if self.plan.action == "add_collateral":
            return rnd.supply_for(crowd.market, self.symbol, self.account, amount)
        rate_mode = STABLE_RATE if self.kind == "repay stable" else VARIABLE_RATE
        return rnd.repay_for(crowd.market, self.symbol, self.account, amount, rate_mode)


@pytest.fixture
def scene(crowd: Crowd) -> Scene:
    """The crowd after a move of prices, before the next block."""
    crowd.later(crowd.dice.randint(1, 40 * 86_400))
    send_batch(crowd.anvil.rpc, list(rnd.new_prices(crowd.dice, crowd.market, crowd.specs, 0.15)))
    head = crowd.look()
    timestamp = head.timestamp + crowd.dice.randint(1, 3_600)
    adapter = AaveV3Market("crowd", crowd.market.pool, 0)
    accounts = list(crowd.book.accounts)
    calls = adapter.planner.planning_calls(crowd.book.state, accounts, rnd.LENDER)
    facts = adapter.planner.read_planning(
        crowd.book.state, accounts, rnd.LENDER, answers_to(crowd.pool, head, calls)
    )
    return Scene(crowd, adapter, facts, timestamp, crowd.at(timestamp))


@pytest.mark.parametrize("action", ["add_collateral", "repay"])
def test_the_planned_amount_reaches_the_target_and_one_unit_less_does_not(scene: Scene, action: str) -> None:
    """At exactly the predicted timestamp, for random accounts, assets and targets."""
    crowd = scene.crowd
    planned = [each for account in scene.debtors() if (each := _random_plan(scene, account, action))]
    kinds = Counter(each.kind for each in planned)
    expected = {"add_collateral": {"supply more", "supply first"}, "repay": {"repay variable"}}[action]
    if action == "repay" and crowd.market.version == "3.0.2":
        expected = expected | {"repay stable"}
    assert set(kinds) == expected
    assert min(kinds.values()) > COUNT // 50
    reached = _healths(scene, planned, 0)
    missed = _healths(scene, planned, -1)
    for each in planned:
        assert reached[each.account] >= each.target > missed[each.account], each
        assert reached[each.account] == int(each.plan.summary["health_after"]), each


def test_health_is_not_monotone_in_collateral_where_the_threshold_is_truncated(scene: Scene) -> None:
    """The tests above have met the hard case: in 3.0.2 more collateral can lower health; in 3.6 never."""
    falls = 0
    for account in scene.debtors():
        raw = scene.crowd.book.accounts[account]
        for position in raw.positions:
            if raw.uses_as_collateral(position.reserve_id) and position.scaled_collateral:
                amounts = sorted(scene.crowd.dice.randint(0, position.scaled_collateral) for _ in range(30))
                after = (topup.after_supply(raw, scene.market, position.reserve_id, x) for x in amounts)
                healths = [account_data(each, scene.market).health for each in after]
                falls += healths != sorted(healths)
    assert bool(falls) == scene.crowd.rules.averages_threshold


def test_what_the_account_has_switched_off_is_not_supplied(scene: Scene) -> None:
    """The planner refuses it, and the pool shows why: supplying more of it does not change health."""
    crowd, refused = scene.crowd, dict[str, str]()
    symbols = {reserve.asset.lower(): symbol for symbol, reserve in crowd.market.reserves.items()}
    for account in scene.debtors():
        for (holder, asset), amount in scene.facts.idle_collateral.items():
            if holder == account and amount and not _used(crowd, account, asset):
                step = Step(action="add_collateral", asset=symbols[asset])
                plan = scene.plan(account, step, scene.health(account) + WAD)
                assert isinstance(plan, Blocked)
                assert "does not use it as collateral" in plan.reason
                refused[account] = symbols[asset]
    assert len(refused) > COUNT // 50
    txs = [
        rnd.supply_for(crowd.market, symbol, account, rnd.units(crowd.specs.by_symbol(symbol), 100))
        for account, symbol in refused.items()
    ]
    before = {account: scene.health(account) for account in refused}
    crowd.together(txs, scene.timestamp)
    after = crowd.theirs(crowd.look())
    assert {account: after[account].health for account in refused} == before


def test_a_first_supply_counts_exactly_where_the_pool_switches_it_on(scene: Scene) -> None:
    """For every asset an account does not hold: planned if and only if supplying it raises its health."""
    crowd, planned = scene.crowd, dict[tuple[str, str], bool]()
    everyone = scene.debtors()
    crowd.dice.shuffle(everyone)
    in_emode = [account for account in everyone if crowd.book.accounts[account].emode]
    symbols = list(crowd.market.reserves)
    for number, account in enumerate([*in_emode, *everyone]):
        # The last is the reserve that is collateral in an e-mode only.
        for symbol in (symbols[-1], symbols[number % len(symbols)]):
            asset = crowd.market.reserves[symbol].asset.lower()
            if scene.facts.idle_collateral[account, asset] or any(a == account for a, _ in planned):
                continue
            plan = scene.plan(account, Step(action="add_collateral", asset=symbol), scene.health(account) * 2)
            planned[account, symbol] = not isinstance(plan, Blocked)
    txs = [
        rnd.supply_for(crowd.market, symbol, account, rnd.units(crowd.specs.by_symbol(symbol), 10**6))
        for account, symbol in planned
    ]
    before = {account: scene.health(account) for account, _ in planned}
    crowd.together(txs, scene.timestamp)
    after = crowd.theirs(crowd.look())
    for (account, symbol), expected in planned.items():
        health = after[account].health
        assert health is not None
        counted = (
            _used(crowd, account, crowd.market.reserves[symbol].asset.lower()) and health > before[account]
        )
        assert counted == expected, (account, symbol)
    assert {True, False} == set(planned.values())


@pytest.mark.parametrize("action", ["add_collateral", "repay"])
def test_a_paused_reserve_is_passed_over(scene: Scene, action: str) -> None:
    """The next step is taken instead of a call that the pool would refuse."""
    crowd, market = scene.crowd, scene.crowd.market
    planned = [each for account in scene.debtors() if (each := _random_plan(scene, account, action))]
    symbol = Counter(each.symbol for each in planned).most_common(1)[0][0]
    data = calldata("setReservePause(address,bool)", market.reserves[symbol].asset, True)
    pause: Tx = {"from": market.acl_admin, "to": market.configurator, "data": data}
    paused_at = crowd.later(12)
    crowd.together([pause], paused_at)
    crowd.look()
    now = replace(scene, timestamp=paused_at + 12, market=crowd.at(paused_at + 12))
    mine = [each for each in planned if each.symbol == symbol]
    assert mine
    for each in mine:
        step = Step.model_validate({"action": action, "asset": symbol})
        assert isinstance(now.plan(each.account, step, each.target), Blocked)
        with pytest.raises(RpcRefusedError):
            _call(crowd, each.tx(crowd, each.plan.spend.amount))


def _call(crowd: Crowd, tx: Tx) -> None:
    call: Json = {"from": tx["from"], "to": tx["to"], "data": tx["data"]}
    crowd.anvil.rpc.call("eth_call", call, "latest")


def _random_plan(scene: Scene, account: str, action: str) -> TopUp | None:
    """A plan to a random health above the account's own, in an asset that can bring it there."""
    crowd = scene.crowd
    target = scene.health(account) + crowd.dice.choice((1, 10**6, WAD // 1000, WAD // 4, WAD))
    symbols = list(crowd.market.reserves)
    for symbol in crowd.dice.sample(symbols, len(symbols)):
        step = Step.model_validate({"action": action, "asset": symbol})
        plan = scene.plan(account, step, target)
        if isinstance(plan, Blocked) or int(plan.summary["health_after"]) < target:
            continue
        asset = crowd.market.reserves[symbol].asset.lower()
        if action == "add_collateral":
            kind = "supply more" if _used(crowd, account, asset) else "supply first"
        else:
            stable = encoded(calls.REPAY, asset, plan.spend.amount, STABLE_RATE, account)
            kind = "repay stable" if plan.data == "0x" + stable.hex() else "repay variable"
        return TopUp(account, kind, symbol, target, plan)
    return None


def _used(crowd: Crowd, account: str, asset: str) -> bool:
    reserves = crowd.state.reserves.values()
    identity = next(reserve.id for reserve in reserves if reserve.asset == asset)
    return crowd.book.accounts[account].uses_as_collateral(identity)


def _shares(scene: Scene, each: TopUp, amount: int) -> int:
    """Scaled units that the amount mints or burns; stable debt is not scaled."""
    rules, symbol = scene.market.rules, scene.crowd.market.reserves[each.symbol].asset.lower()
    accrued = next(a for a in scene.market.reserves.values() if a.reserve.asset == symbol)
    if each.kind == "repay stable":
        return amount
    if each.plan.action == "add_collateral":
        return rules.supply_shares(amount, accrued.income)
    return rules.repay_shares(amount, accrued.debt_index)


def _healths(scene: Scene, planned: Sequence[TopUp], change: int) -> dict[str, int]:
    """The pool's own healths at the planned timestamp after all actions, each amount changed by so much."""
    crowd = scene.crowd
    snapshot = crowd.anvil.snapshot()
    amounts = [(each, each.plan.spend.amount + change) for each in planned]
    # The pool refuses less than a scaled unit: that much cannot reach anything.
    going = [each.tx(crowd, amount) for each, amount in amounts if _shares(scene, each, amount)]
    assert change or len(going) == len(planned)
    crowd.together(going, scene.timestamp)
    head = crowd.look()
    assert head.timestamp == scene.timestamp
    views = crowd.book.views(head, [each.account for each in planned])
    crowd.anvil.revert(snapshot)
    crowd.look()
    return {
        account: view.health if view.health is not None else 2**256 - 1 for account, view in views.items()
    }
