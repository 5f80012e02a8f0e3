"""Perp v2 in a keeper's hands: exact for traders and makers, every change heard, deposits where asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from keeper.chain import blocks
from keeper.localchain import perp_v2_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import DOLLAR, WAD, LocalBase
from keeper.localchain.rpc import as_str
from keeper.localchain.transactions import TransactionFailedError
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation
from keeper.setup.survey import connect, explore
from tests.conformance.case import protection
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, COLLATERALS, MARKETS, CurieExchange
from tests.support.keeping import BLOCK_SECONDS, keeping, reading, valued
from tests.support.program import run_keeper

pytestmark = pytest.mark.integration

LONG, SHORT, MAKER = ACCOUNTS[1:4]
OTHER = "0x" + "0e" * 20
KEEPER = "0x" + "5e" * 20
STIRS = 24


@pytest.fixture(params=BUILDS)
def market(request: pytest.FixtureRequest) -> Iterator[CurieExchange]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CurieExchange(anvil, deploy(anvil.rpc, MARKETS, COLLATERALS, None, request.param))


def toml(market: CurieExchange) -> str:
    address = market.system.clearing_house
    return f'protocol = "perp-v2"\naddress = "{address}"\nunknown_oracles = "act"'


def traded(market: CurieExchange) -> None:
    """A long and a short, and a maker with three ranges in two markets."""
    market.fund(LONG, dollars=3_000, ether=2)
    market.fund(SHORT, dollars=6_000)
    market.fund(MAKER, dollars=20_000, ether=1)
    market.fund(KEEPER, dollars=50_000)
    market.trade(LONG, market.eth, 20 * WAD)
    market.trade(SHORT, market.eth, -15 * WAD)
    market.trade(LONG, market.btc, -WAD // 4)
    system = market.system
    market.send(
        act.add_liquidity(system, MAKER, market.eth, 20 * WAD, 40_000 * WAD, 75_000, 77_040),
        act.add_liquidity(system, MAKER, market.eth, 10 * WAD, 20_000 * WAD, 75_960, 76_080),
        act.add_liquidity(system, MAKER, market.btc, 0, 20_000 * WAD, 102_000, 102_480),
    )


class Stirring:
    """Some of everything that happens on the exchange; what it refuses is no fault of the test's."""

    def __init__(self, market: CurieExchange, dice: random.Random) -> None:
        self.market, self.dice = market, dice
        self.prices = {"vETH": 2_000, "vBTC": 30_000}

    def __call__(self) -> None:
        what = self.dice.choice([self.wait, self.trade, self.trade, self.move, self.money, self.takeover])
        try:
            what()
        except TransactionFailedError:
            return

    def one(self) -> LocalBase:
        return self.dice.choice([self.market.eth, self.market.btc])

    def who(self) -> str:
        return self.dice.choice([LONG, SHORT, MAKER])

    def wait(self) -> None:
        self.market.wait(self.dice.choice([1, 20, 1_000, 20_000]))
        self.market.anvil.mine()

    def trade(self) -> None:
        base = self.one()
        dollars = self.dice.randint(-3_000, 3_000) or 1
        self.market.trade(self.who(), base, dollars * WAD // self.prices[base.symbol])

    def move(self) -> None:
        base = self.one()
        self.prices[base.symbol] = self.prices[base.symbol] * self.dice.randint(965, 1_035) // 1_000
        self.market.set_price(base, self.prices[base.symbol])

    def money(self) -> None:
        ether = self.dice.random() < 0.3
        self.market.fund(self.who(), dollars=0 if ether else self.dice.randint(1, 500), ether=int(ether))

    def takeover(self) -> None:
        self.market.send(act.liquidate(self.market.system, KEEPER, self.who(), self.one()))


def test_numbers_are_the_exchanges_to_the_unit_and_every_change_is_heard(
    market: CurieExchange, tmp_path: Path
) -> None:
    traded(market)
    run = reading(market.anvil, toml(market), tmp_path, store=True)
    stirred, compared = Stirring(market, random.Random(5)), 0
    with capture_logs() as logs:
        for _ in range(STIRS):
            stirred()
            at = valued(run)
            assert at.acting, at.memory.watch_only
            views = run.book.views(blocks.latest(run.book.pool), list(run.book.accounts))
            assert {each.account: each for each in at.valuations} == views
            compared += len(views)
    assert compared > 5 * STIRS
    assert "silent change" not in {each["event"] for each in logs}
    again = reading(market.anvil, toml(market), tmp_path, store=True)
    assert {each.account: each for each in valued(again).valuations} == views, (
        "a restart goes on from the store"
    )


def agree(market: CurieExchange, run: Market) -> MarketValuation:
    """Whoever is valued is as the views have it."""
    at = valued(run)
    views = run.book.views(blocks.latest(run.book.pool), list(run.book.accounts))
    assert {each.account: each for each in at.valuations} == views
    return at


def test_dust_and_a_trader_in_every_market_far_from_the_index_are_valued_as_the_exchange_does(
    market: CurieExchange, tmp_path: Path
) -> None:
    traded(market)
    dust = "0x" + "d0" * 20
    market.fund(dust, dollars=1)
    # Less is none: the exchange closes what is smaller than ten units.
    market.trade(dust, market.eth, 11)
    market.trade(LONG, market.btc, -WAD // 4)
    run = reading(market.anvil, toml(market), tmp_path)
    for index in (2_400, 1_600, 20, 200_000):
        market.set_index(market.eth, index)
        for seconds in (1, 1_000, 50_000):
            market.wait(seconds)
            market.anvil.mine()
            at = agree(market, run)
            assert at.acting, at.memory.watch_only
            assert {dust, LONG.lower(), MAKER.lower()} <= {each.account for each in at.valuations}


BREAKABLE: dict[str, Callable[[CurieExchange], str]] = {
    "aggregator": lambda market: market.eth.aggregator,
    "feed": lambda market: market.eth.feed,
    "collateral": lambda market: market.weth.aggregator,
}
# Perp's own feed remembers the last answer; without it a market has no mark.
BLINDED = {"aggregator": set[str](), "feed": {LONG, SHORT, MAKER}, "collateral": {LONG, MAKER}}


@pytest.mark.parametrize("source", BREAKABLE)
def test_a_price_source_that_reverts_blinds_only_whom_it_concerns(
    market: CurieExchange, tmp_path: Path, source: str
) -> None:
    traded(market)
    market.fund(OTHER, dollars=5_000)
    market.trade(OTHER, market.btc, WAD // 10)
    broken = BREAKABLE[source](market)
    run = reading(market.anvil, toml(market), tmp_path)
    before = {each.account for each in agree(market, run).valuations}
    kept = as_str(market.anvil.rpc.call("eth_getCode", broken, "latest"))
    market.anvil.set_code(broken, bytes.fromhex("60006000fd"))
    market.wait(1)
    market.anvil.mine()
    at = valued(run)
    found = {each.account: each for each in at.valuations}
    blinded = {each.lower() for each in BLINDED[source]}
    assert at.acting and blinded <= before - found.keys() and OTHER.lower() in found
    assert found == run.book.views(blocks.latest(run.book.pool), list(found))
    market.anvil.set_code(broken, bytes.fromhex(kept[2:]))
    market.wait(1)
    market.anvil.mine()
    assert {each.account for each in agree(market, run).valuations} == before


def quiet(market: CurieExchange) -> None:
    market.anvil.set_automine(False)
    market.anvil.set_timestamp_interval(BLOCK_SECONDS)


def fallen(market: CurieExchange, dollars: int) -> None:
    market.anvil.set_automine(True)
    # A trade may move the pool by a tenth at most.
    for step in (1_890, dollars):
        market.set_price(market.eth, step)
    # Until all averages have come to it.
    market.wait(1_800)
    market.anvil.mine()
    quiet(market)


def test_a_protected_trader_gets_the_least_that_reaches_the_target(
    market: CurieExchange, tmp_path: Path
) -> None:
    market.fund(LONG, dollars=6_000)
    market.trade(LONG, market.eth, 20 * WAD)
    k = keeping(market.anvil, toml(market), tmp_path, protection(LONG, "add_collateral", "USDC"))
    market.anvil.set_balance(k.payer, 10**20)
    market.send(act.mint_and_deposit(market.system, k.payer, 50_000 * DOLLAR)[0])
    quiet(market)
    k.step()
    assert k.intents() == []
    fallen(market, 1_800)
    for _ in range(3):
        k.step()
    [intent] = k.intents()
    assert (intent.kind, intent.account) == ("top_up", LONG.lower())
    k.step()
    k.step()
    assert [each.state for each in k.intents()] == ["settled"]
    health = k.valuation(LONG.lower()).health
    assert health is not None and 124 * WAD // 100 < health < 126 * WAD // 100


def test_without_a_takeover_contract_a_due_trader_is_told_of_and_nothing_is_sent(
    market: CurieExchange, tmp_path: Path
) -> None:
    market.fund(LONG, dollars=4_500)
    market.trade(LONG, market.eth, 20 * WAD)
    k = keeping(market.anvil, toml(market), tmp_path)
    quiet(market)
    k.step()
    fallen(market, 1_880)
    for _ in range(3):
        k.step()
    assert k.intents() == [] and k.transactions() == []
    assert "no takeover contract is configured" in k.alerts("cannot_act")[0].body


def test_programs_see_the_numbers_of_the_views(market: CurieExchange, tmp_path: Path) -> None:
    traded(market)
    market.anvil.mine()
    market.anvil.set_automine(False)
    keeping(market.anvil, toml(market), tmp_path)
    config = str(tmp_path / "keeper.toml")
    scanned = json.loads(run_keeper("scan", "--json", "--config", config).stdout)
    found = {each["account"]: each for each in scanned["markets"][0]["accounts"]}
    for who in (LONG, SHORT, MAKER):
        assert found[who]["equity"] == str(market.value(who))
        assert found[who]["maintenance"] == str(market.required(who))
    [explained] = json.loads(run_keeper("explain", LONG, "--json", "--config", config).stdout)
    sizes = {each["symbol"]: each["size"] for each in explained["positions"]}
    assert sizes == {"vETH": str(market.size(LONG, market.eth)), "vBTC": str(market.size(LONG, market.btc))}


def test_init_names_the_markets_that_the_registry_tells_of(market: CurieExchange) -> None:
    pool, head = connect(market.anvil.url)
    found = explore(pool, head, market.anvil.url, market.system.clearing_house)
    named = {each.symbol: each for each in found.assets}
    for base in (market.eth, market.btc):
        asset = named[base.symbol]
        assert (asset.address.lower(), asset.price) == (base.token.lower(), market.mark(base))
        assert asset.source is not None
        assert [feed.address for feed in asset.source.feeds()] == [base.aggregator.lower()]
