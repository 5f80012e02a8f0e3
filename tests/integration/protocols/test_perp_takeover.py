"""Perp v2 liquidated by our own contract: positions taken over and closed, and what was promised arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_account import Account

from keeper.contracts import ABIS
from keeper.localchain import perp_v2_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import DOLLAR, WAD, CurieBuild, CurieSpec
from keeper.localchain.perp_v2_takeover import deploy_takeover
from keeper.localchain.transactions import TransactionFailedError, Tx, call_of, send_batch
from keeper.model.plan import Plan
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, COLLATERALS, MARKETS, CurieExchange
from tests.support.keeping import BLOCK_SECONDS, KEY, Keeping, keeping

pytestmark = pytest.mark.integration

OWNER, LONG, SHORT, MAKER = ACCOUNTS[:4]
RIVAL = "0x" + "5a" * 20
PAYER = str(Account.from_key(KEY).address)
MONEY = 50_000 * DOLLAR


@dataclass
class Scene:
    """An exchange with our contract and a keeper's money beside it."""

    market: CurieExchange
    takeover: str
    folder: Path

    def keeper(self) -> Keeping:
        """From now on blocks come when the test says."""
        address = self.market.system.clearing_house
        toml = f'protocol = "perp-v2"\naddress = "{address}"\nunknown_oracles = "act"'
        anvil = self.market.anvil
        found = keeping(
            anvil, f'{toml}\nperp_v2.takeover = "{self.takeover}"', self.folder, chain="native_price = 2000"
        )
        anvil.set_automine(False)
        anvil.set_timestamp_interval(BLOCK_SECONDS)
        return found

    def moved(self, *dollars: int) -> None:
        """The price goes there step by step, a tenth at most each, and stays until all averages are there."""
        for step in dollars:
            self.market.set_price(self.market.eth, step)
        self.market.wait(1_800)
        self.market.anvil.mine()

    def promised(self, k: Keeping) -> Plan:
        """The plan that the next block makes."""
        k.step()
        return Plan.from_json(k.intents()[-1].plan)

    def arrived(self) -> int:
        """Units that the signer has won."""
        return self.market.dollars(PAYER) - MONEY

    def nothing(self, k: Keeping, word: str) -> None:
        """No transaction, and a reason that has this word."""
        k.step()
        k.step()
        assert k.transactions() == [] and self.arrived() == 0
        assert word in k.alerts("cannot_act")[-1].body


def begin(build: CurieBuild, folder: Path, *, insured: bool = True) -> Iterator[Scene]:
    markets = [each if insured else replace(each, insurance_fee=0) for each in MARKETS]
    spec = None if insured else CurieSpec(insurance=0)
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        market = CurieExchange(anvil, deploy(anvil.rpc, markets, COLLATERALS, spec, build))
        takeover = deploy_takeover(anvil.rpc, market.system, OWNER, PAYER)
        market.send(act.mint_and_deposit(market.system, PAYER, MONEY)[0])
        yield Scene(market, takeover, folder)


@pytest.fixture(params=BUILDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    yield from begin(request.param, tmp_path)


@pytest.fixture(params=BUILDS)
def uninsured(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    yield from begin(request.param, tmp_path, insured=False)


def profit(plan: Plan) -> int:
    """Units that the plan expects."""
    assert plan.trade is not None
    return (plan.trade.gets_base - plan.trade.pays_base) * DOLLAR // WAD


def long(scene: Scene, *prices: int) -> None:
    """A long of 20 ETH from 2,000 on, and where the price then goes: at 1,820 it can be taken over whole."""
    scene.market.fund(LONG, dollars=4_500)
    scene.market.trade(LONG, scene.market.eth, 20 * WAD)
    scene.moved(*(prices or (1_890, 1_820)))


@pytest.mark.parametrize(
    ("prices", "left"),
    [((1_890, 1_880), 10), ((1_890, 1_820), 0), ((1_890, 1_800, 1_760), 0)],
    ids=[
        "half, above half the requirement",
        "whole, below it",
        "whole, with bad debt and all of the penalty",
    ],
)
def test_a_long_is_taken_over_in_a_crash_and_all_that_was_promised_arrives(
    scene: Scene, prices: tuple[int, ...], left: int
) -> None:
    market = scene.market
    long(scene, *prices)
    debt = market.value(LONG) < 0
    k = scene.keeper()
    plan = scene.promised(k)
    k.step()
    k.step()
    assert [each.state for each in k.intents()] == ["settled"]
    assert scene.arrived() == profit(plan) > 0
    assert market.size(LONG, market.eth) == left * WAD
    share = scene.arrived() * WAD // DOLLAR * 1_000 // ((20 - left) * market.mark(market.eth))
    assert share in (range(20, 25) if debt else range(7, 12)), "thousandths of what was taken over"
    assert market.dollars(scene.takeover) == market.balance(scene.takeover) == 0
    allowance = market.number(
        market.system.usd, "allowance(address,address)", scene.takeover, market.system.vault
    )
    assert allowance == 0


def test_of_two_positions_the_one_that_pays_more_goes_up_to_half_of_both_together(scene: Scene) -> None:
    market = scene.market
    market.fund(LONG, dollars=7_000)
    market.trade(LONG, market.eth, 20 * WAD)
    market.trade(LONG, market.btc, -WAD // 2)
    scene.moved(1_890, 1_800)
    both = market.number(market.system.account_balance, "getTotalAbsPositionValue(address)", LONG)
    mark = market.mark(market.eth)
    k = scene.keeper()
    plan = scene.promised(k)
    k.step()
    k.step()
    assert [each.state for each in k.intents()] == ["settled"]
    assert scene.arrived() == profit(plan) > 0
    taken = (20 * WAD - market.size(LONG, market.eth)) * mark // WAD
    assert abs(taken - both // 2) < both // 10**5
    assert market.size(LONG, market.btc) == -WAD // 2


def test_while_averages_are_still_moving_the_mark_of_the_next_block_is_counted_on(scene: Scene) -> None:
    market = scene.market
    market.fund(LONG, dollars=4_500)
    market.trade(LONG, market.eth, 20 * WAD)
    for step in (1_890, 1_800, 1_770):
        market.set_price(market.eth, step)
    market.wait(200)
    market.set_index(market.eth, 1_774)
    k = scene.keeper()
    plan = scene.promised(k)
    before = market.mark(market.eth)
    k.step()
    assert abs(scene.arrived() - profit(plan)) <= 1 and scene.arrived() > 0
    assert market.mark(market.eth) != before
    k.step()
    assert [each.state for each in k.intents()] == ["settled"]


def test_a_short_is_taken_over_in_a_squeeze(scene: Scene) -> None:
    market = scene.market
    market.fund(SHORT, dollars=4_500)
    market.trade(SHORT, market.eth, -20 * WAD)
    scene.moved(2_100, 2_160)
    k = scene.keeper()
    plan = scene.promised(k)
    k.step()
    k.step()
    assert [each.state for each in k.intents()] == ["settled"]
    assert scene.arrived() == profit(plan) > 0
    act_ = next(each for each in k.transactions() if each.purpose == "act")
    least = int(act_.data[10 + 5 * 64 : 10 + 6 * 64], 16)
    assert profit(plan) * 50 // 100 <= least <= profit(plan), "asked for on chain"
    assert market.size(SHORT, market.eth) == 0


def test_a_makers_ranges_are_cancelled_first_and_their_depth_is_not_counted_on(scene: Scene) -> None:
    market, system = scene.market, scene.market.system
    market.fund(MAKER, dollars=11_000)
    market.send(
        act.add_liquidity(system, MAKER, market.eth, 12 * WAD, 24_000 * WAD, 74_400, 77_040),
        act.add_liquidity(system, MAKER, market.btc, 0, 12_000 * WAD, 102_000, 102_480),
    )
    market.trade(MAKER, market.eth, 15 * WAD)
    scene.moved(1_890, 1_800, 1_690, 1_600)
    k = scene.keeper()
    plan = scene.promised(k)
    assert market.size(MAKER, market.eth) > 15 * WAD
    k.step()
    k.step()
    intents = k.intents()
    assert {each.state for each in intents} == {"settled"}
    assert profit(Plan.from_json(intents[0].plan)) == profit(plan) > 0
    assert abs(scene.arrived() - sum(profit(Plan.from_json(each.plan)) for each in intents)) < len(intents)
    assert market.number(system.account_balance, "hasOrder(address)", MAKER) == 0


def test_bad_debt_that_the_insurance_fund_cannot_cover_is_left_alone(uninsured: Scene) -> None:
    long(uninsured, 1_890, 1_800, 1_760)
    uninsured.nothing(uninsured.keeper(), "insurance fund")


def test_of_a_paused_market_nothing_is_taken_over(scene: Scene) -> None:
    long(scene)
    scene.market.send(act.pause(scene.market.system, scene.market.eth))
    scene.nothing(scene.keeper(), "paused")


def limit(scene: Scene, ticks: int) -> Tx:
    system, eth = scene.market.system, scene.market.eth
    signature = "setMaxTickCrossedWithinBlock(address,uint24)"
    return call_of(system.owner, system.exchange, signature, eth.token, ticks)


def test_no_more_is_taken_over_than_the_tick_limit_lets_close(scene: Scene) -> None:
    market = scene.market
    market.fund(LONG, dollars=55_000)
    market.trade(LONG, market.eth, 200 * WAD)
    scene.moved(1_890, 1_830)
    market.send(limit(scene, 20))
    k = scene.keeper()
    plan = scene.promised(k)
    k.step()
    k.step()
    assert scene.arrived() == profit(plan) > 0
    assert 0 < market.size(LONG, market.eth) < 200 * WAD
    assert k.intents()[0].state == "settled"


def test_where_nothing_may_be_closed_nothing_is_taken_over(scene: Scene) -> None:
    long(scene)
    scene.market.send(limit(scene, 0))
    scene.nothing(scene.keeper(), "limits")


def test_closing_never_pushes_the_pool_out_of_its_band(scene: Scene) -> None:
    long(scene)
    scene.market.set_index(scene.market.eth, 2_130)
    scene.market.wait(1_800)
    scene.nothing(scene.keeper(), "limits")


def test_another_who_is_first_costs_the_gas_and_nothing_else(scene: Scene) -> None:
    long(scene)
    market, system = scene.market, scene.market.system
    market.fund(RIVAL, dollars=50_000)
    k = scene.keeper()
    k.step()
    k.step([act.liquidate(system, RIVAL, LONG, market.eth)])
    k.step()
    [intent] = k.intents()
    acted = [each for each in k.transactions() if each.purpose == "act"]
    assert (intent.state, [each.succeeded for each in acted]) == ("failed", [False])
    assert scene.arrived() == 0 and market.size(RIVAL, market.eth) == 20 * WAD


TAKE = "take(address,address[],address,int256,uint256,uint256)"


def refused(scene: Scene, who: str, target: str, signature: str, *arguments: object) -> str:
    """The error by which a call reverts, of our own by its name."""
    names = {key: name for key, name in perp_errors().items() if key.startswith("0x")}
    call: Tx = {**call_of(who, target, signature, *arguments), "gas": 4_000_000}
    with pytest.raises(TransactionFailedError) as found:
        send_batch(scene.market.anvil.rpc, [call], names)
    return str(found.value)


def perp_errors() -> dict[str, str]:
    table: dict[str, str] = json.loads((ABIS / "perp_v2_errors.json").read_text())
    return table


def test_the_contract_obeys_its_operators_and_gives_its_owner_whatever_got_stuck(scene: Scene) -> None:
    market, usd, at = scene.market, scene.market.system.usd, scene.takeover
    market.fund(LONG, dollars=4_500)
    market.trade(LONG, market.eth, 20 * WAD)
    order: tuple[object, ...] = (LONG, [], market.eth.token, 20 * WAD, 5_000 * DOLLAR)
    market.send(call_of(PAYER, usd, "approve(address,uint256)", at, 5_000 * DOLLAR))
    assert "NotOperator" in refused(scene, RIVAL, at, TAKE, *order, 0)
    assert "NotLiquidatable" in refused(scene, PAYER, at, TAKE, *order, 0)
    scene.moved(1_890, 1_820)
    assert "TooLittleProfit" in refused(scene, PAYER, at, TAKE, *order, 2_000 * DOLLAR)
    assert market.dollars(PAYER) == MONEY and market.dollars(at) == market.balance(at) == 0

    market.send(*act.mint_and_deposit(market.system, RIVAL, 7 * DOLLAR, to=at))
    market.send(call_of(OWNER, at, "withdraw(address,uint256)", usd, 7 * DOLLAR))
    for signature, arguments in {
        "withdraw(address,uint256)": (usd, 1),
        "rescue(address,address,uint256)": (usd, PAYER, 1),
        "setOperator(address,bool)": (PAYER, True),
        "setOwner(address)": (PAYER,),
    }.items():
        assert "NotOwner" in refused(scene, PAYER, at, signature, *arguments)
    market.send(call_of(OWNER, at, "rescue(address,address,uint256)", usd, RIVAL, 7 * DOLLAR))
    assert market.dollars(RIVAL) == 7 * DOLLAR
    market.send(call_of(OWNER, at, "setOwner(address)", RIVAL), call_of(RIVAL, at, "acceptOwner()"))
    market.send(call_of(RIVAL, at, "setOperator(address,bool)", PAYER, False))
    assert "NotOperator" in refused(scene, PAYER, at, TAKE, *order, 0)
