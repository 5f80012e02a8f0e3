"""Our own clearinghouse in a keeper's hands: calls, liquidation by slices, cures, expiries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.localchain import clearinghouse_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.clearinghouse import UNIT
from keeper.localchain.transactions import Tx, call_of
from keeper.margin.portfolio.clearinghouse.liquidation import liquidation_discount, slice_taken
from keeper.model.account_key import account_key
from keeper.protocols.clearinghouse.valuing import ClearingMoment
from keeper.service.markets import Market
from tests.conformance.case import protection
from tests.conformance.clearinghouse_case import MAKER, TRADER, ClearinghouseCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping, reading, valued
from tests.support.program import run_keeper
from tests.support.views import view_int

pytestmark = pytest.mark.integration

WAD = 10**18
GRACE = 600


@pytest.fixture
def case() -> Iterator[ClearinghouseCase]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield ClearinghouseCase(anvil)


def watched(case: ClearinghouseCase, folder: Path, more: str = "", budget: str = "5") -> Keeping:
    toml = f'{case.toml()}\nclearinghouse.upkeep_gas_per_day = "{budget}"' if budget else case.toml()
    k = keeping(case.anvil, toml, folder, more, case.chain)
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step(case.hold())
    return k


def hedged(case: ClearinghouseCase, dollars: int = 8_000) -> int:
    """Ten ether long, ten calls sold and two puts: perpetuals and options in one account."""
    number = case.account(TRADER, dollars, 2)
    for name, size in (("ETH", 10), ("ETH-2000-C", -4), ("ETH-1600-P", -3), ("BTC", -1)):
        code = case.at.instruments[name]
        case.send(case.trade(number, code, size * UNIT // (10 if name == "BTC" else 1), case.mark(code)))
    return number


def done(k: Keeping, account: int) -> list[tuple[str, str]]:
    return [(each.kind, each.state) for each in k.intents() if each.account == account_key(str(account))]


def moved(case: ClearinghouseCase, dollars: int) -> list[Tx]:
    """Index and last match come to a price."""
    case.prices["ETH"] = dollars
    return [*case.hold(), case.trade(case.own, 0, 1, dollars * UNIT, int("5e" * 32, 16))]


@pytest.mark.parametrize("share", [1, 77_777, 400_000, 1_000_000])
def test_a_slice_is_foreseen_to_the_unit(case: ClearinghouseCase, tmp_path: Path, share: int) -> None:
    number = hedged(case)
    case.send(*moved(case, 1_000))
    run = reading(case.anvil, case.toml(), tmp_path)
    valued(run)
    before = run.book.state, run.book.accounts[account_key(str(number))]
    taker = run.book.accounts[account_key(str(case.maker))]
    case.anvil.set_timestamp_interval(7)
    head = blocks.latest(run.book.pool)
    moment = ClearingMoment(before[0], head.timestamp + 7)
    market, raw = moment.maintenance, before[1].state
    found = market.value(raw)
    assert found.worst < 0
    terms = before[0].terms
    loss = found.equity - found.worst
    discount = liquidation_discount(0, moment.timestamp, found.equity, loss, terms)
    assert isinstance(discount, int), "below the hard floor nobody waits"
    taken = slice_taken(market, raw, taker.state, found.scenario, share * 10**12, discount, terms)
    liquidation = act.liquidate(
        case.at, act.address_of(MAKER), number, found.scenario, share * 10**12, case.maker
    )
    assert case.tried(liquidation) == (taken.value <= taken.most)
    if taken.value > taken.most:
        return
    valued(run)
    after = run.book.accounts
    for account, foreseen in ((number, taken.account), (case.maker, taken.taker)):
        now = after[account_key(str(account))].state
        assert (now.cash, now.collateral) == (foreseen.cash, foreseen.collateral)
        assert sorted(now.legs, key=repr) == sorted(foreseen.legs, key=repr)


def test_who_is_below_is_called_and_liquidated_after_the_grace(
    case: ClearinghouseCase, tmp_path: Path
) -> None:
    number = case.account(TRADER, 5_000)
    case.send(case.trade(number, 0, 10 * UNIT, case.mark(0)))
    k = watched(case, tmp_path)
    k.step(moved(case, 1_780))
    assert k.intents() and "margin call" in k.intents()[0].plan
    [episode] = [each for each in k.episodes("liquidate") if each.account == account_key(str(number))]
    assert "nobody has called it" in episode.blocked_reason
    k.step(moved(case, 1_780))
    k.step(moved(case, 1_780))
    called = view_int(case.anvil.rpc, case.at.house, "calledAt(uint256)", number)
    assert called and done(k, number) == []
    case.anvil.set_timestamp_interval(GRACE)
    k.step(moved(case, 1_780))
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step(moved(case, 1_780))
    for _ in range(3):
        k.step(case.hold())
    assert done(k, number) == [("liquidate", "settled")]
    assert not k.valuation(account_key(str(number))).liquidatable
    own = k.deciding.markets[0].book.state.own
    assert own is not None and own.state.legs, "the keeper has taken a slice over"


def test_a_gap_is_liquidated_at_once_and_the_fund_pays(case: ClearinghouseCase, tmp_path: Path) -> None:
    case.send(
        call_of(
            act.address_of(MAKER), case.at.dollars, "mint(address,uint256)", act.address_of(MAKER), 10**12
        )
    )
    case.send(call_of(act.address_of(MAKER), case.at.house, "contribute(uint256)", 10**11))
    number = case.account(TRADER, 5_000)
    case.send(case.trade(number, 0, 10 * UNIT, case.mark(0)))
    k = watched(case, tmp_path)
    k.step(moved(case, 1_300))
    for _ in range(4):
        k.step(case.hold())
    assert ("liquidate", "settled") in done(k, number)
    state = k.deciding.markets[0].book.state
    assert state.ledger.fund < 10**11 * 10**12, "what was below zero"
    raw = k.deciding.markets[0].book.accounts[account_key(str(number))]
    assert raw.state.legs == () and raw.state.cash == 0


def test_what_the_fund_lacks_is_charged_to_whoever_won_page_by_page(
    case: ClearinghouseCase, tmp_path: Path
) -> None:
    number = case.account(TRADER, 5_000)
    case.send(case.trade(number, 0, 10 * UNIT, case.mark(0)))
    k = watched(case, tmp_path)
    k.step(moved(case, 1_300))
    lost, names = 0, set[str]()
    for _ in range(14):
        k.step(case.hold())
        state = k.deciding.markets[0].book.state
        lost = max(lost, state.instruments[0].lost_by_longs)
        names |= {name for name in NAMES for each in k.intents() if name in each.plan}
    assert lost > 0 and state.instruments[0].lost_by_longs == 0 and state.rounds == ()
    assert not state.instruments[0].is_halted and names == set(NAMES)
    assert {each.state for each in k.intents() if "margin call" not in each.plan} == {"settled"}
    at = valued(k.deciding.markets[0])
    assert at.acting


def test_while_an_instrument_is_halted_nobody_in_it_is_tried(case: ClearinghouseCase, tmp_path: Path) -> None:
    first, second = case.account(TRADER, 5_000), case.account(TRADER, 9_000)
    case.send(case.trade(first, 0, 10 * UNIT, case.mark(0)), case.trade(second, 0, 10 * UNIT, case.mark(0)))
    case.send(*moved(case, 1_300))
    worst = view_int(case.anvil.rpc, case.at.house, "worst(uint256,bool)", first, False, word=2)
    case.send(act.liquidate(case.at, act.address_of(MAKER), first, worst, WAD, case.maker))
    k = watched(case, tmp_path, budget="")
    for _ in range(3):
        k.step(case.hold())
    assert k.deciding.markets[0].book.state.instruments[0].lost_by_longs > 0
    [episode] = [each for each in k.episodes("liquidate") if each.account == account_key(str(second))]
    assert "instrument 0 is halted" in episode.blocked_reason and k.transactions() == []


def test_an_expiry_with_too_few_observations_is_said_and_not_tried(
    case: ClearinghouseCase, tmp_path: Path
) -> None:
    case.anvil.increase_time(case.at.expiry - case.now() + 60)
    case.send(*case.hold())
    k = watched(case, tmp_path)
    for _ in range(5):
        k.step(case.hold())
    assert k.deciding.markets[0].adapter.explainer.market_warnings(k.deciding.markets[0].book.state)
    assert any("unsettled" in each.body for each in k.alerts("market_warning"))
    assert k.intents() and all('"observe"' in each.plan for each in k.intents())


NAMES = ("begin deleveraging", "weigh winners", '"deleverage"')


def test_without_an_account_of_its_own_or_margin_in_it_nobody_is_taken_over(
    case: ClearinghouseCase, tmp_path: Path
) -> None:
    number = case.account(TRADER, 5_000)
    case.send(case.trade(number, 0, 10 * UNIT, case.mark(0)))
    case.own = case.account(int("5e" * 32, 16), 0)
    k = watched(case, tmp_path)
    case.prices["ETH"] = 1_500
    k.step(case.hold())
    k.step(case.hold())
    [episode] = [each for each in k.episodes("liquidate") if each.account == account_key(str(number))]
    assert "not margin enough" in episode.blocked_reason and done(k, number) == []


def test_an_account_is_added_to_with_collateral_too(case: ClearinghouseCase, tmp_path: Path) -> None:
    number = case.account(TRADER, 5_000)
    case.send(case.trade(number, 0, 10 * UNIT, case.mark(0)))
    steps = protection(str(number), "add_collateral", "WETH")
    k = watched(case, tmp_path, steps)
    k.send([call_of(k.payer, case.at.ether, "mint(address,uint256)", k.payer, 10**20)])
    k.step(moved(case, 1_780))
    k.step(case.hold())
    k.step(case.hold())
    assert ("top_up", "settled") in done(k, number)
    health = k.valuation(account_key(str(number))).health
    assert health is not None and health > 105 * WAD // 100


def test_expiries_are_observed_and_settled_and_options_paid_out(
    case: ClearinghouseCase, tmp_path: Path
) -> None:
    number = case.account(TRADER, 50_000)
    code = case.at.instruments["ETH-1600-C"]
    case.send(case.trade(number, code, 5 * UNIT, case.mark(code)))
    case.anvil.increase_time(case.at.expiry - case.now() - 1_850)
    case.send(*case.hold())
    k = watched(case, tmp_path)
    case.anvil.set_timestamp_interval(60)
    for _ in range(40):
        k.step(case.hold())
    state = k.deciding.markets[0].book.state
    assert state.expiries == () and state.instruments[code].settled == 2_000 * UNIT
    raw = k.deciding.markets[0].book.accounts[account_key(str(number))]
    assert raw.state.legs == (), "paid out"
    assert {each.state for each in k.intents()} == {"settled"}


def test_a_feed_that_is_stale_blinds_only_whom_it_concerns(case: ClearinghouseCase, tmp_path: Path) -> None:
    ether, bitcoin = case.account(TRADER, 5_000), case.account(TRADER, 8_000)
    case.send(case.trade(ether, 0, 10 * UNIT, case.mark(0)))
    case.send(case.trade(bitcoin, 1, UNIT, case.mark(1)))
    case.anvil.increase_time(31 * 86_400)
    case.send(act.set_price(case.at, "BTC", 24_000), act.set_volatility(case.at, 8 * 10**17))
    run = reading(case.anvil, case.toml(), tmp_path)
    at = valued(run)
    assert at.acting and account_key(str(ether)) in at.unvaluable
    found = {each.account: each for each in at.valuations}
    assert found[account_key(str(bitcoin))].liquidatable
    assert found == run.book.views(blocks.latest(run.book.pool), list(found))


def test_people_see_the_worst_scenario_and_what_drives_it(case: ClearinghouseCase, tmp_path: Path) -> None:
    number = hedged(case)
    case.anvil.set_automine(False)
    keeping(case.anvil, case.toml(), tmp_path)
    config = str(tmp_path / "keeper.toml")
    told = run_keeper("explain", str(number), "--config", config).stdout
    assert "worst in scenario" in told and "call 0 2000" in told and "delta" in told.lower()
    scanned = json.loads(run_keeper("scan", "--json", "--config", config).stdout)
    [found] = [each for each in scanned["markets"][0]["accounts"] if each["account"] == str(number)]
    run = reading(case.anvil, case.toml(), tmp_path)
    [view] = run.book.views(_head(run), [account_key(str(number))]).values()
    assert (found["equity"], found["maintenance"]) == (str(view.equity), str(view.maintenance))
    explained = run.adapter.explainer.explain(
        run.book.state, view.account, run.book.accounts[view.account], _head(run).timestamp, {}
    )
    parts = sum(line.maintenance for line in explained.positions)
    fallen = view.maintenance - parts - view.parts["contingency"]
    assert 0 <= fallen <= view.parts["collateral"], "what is left is what the collateral loses"


def _head(run: Market) -> Head:
    valued(run)
    return blocks.latest(run.book.pool)
