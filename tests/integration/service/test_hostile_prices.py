"""Bad prices against both loops: each fault is told once and seen, holds what it must, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.cli.status import status
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.deployer import Deployer
from keeper.localchain.tokens import create_feed, create_proxy
from keeper.localchain.transactions import Tx, queue
from keeper.service.watching.prices import Pricing
from keeper.store.tables.watching import MarketStatus
from tests.conftest import GENESIS
from tests.support import price_standins as make
from tests.support.keeping import BLOCK_SECONDS
from tests.support.price_sources import change_aggregator
from tests.support.ticks import halted, last_valuations, look
from tests.support.world import World, account, open_market, world

pytestmark = pytest.mark.integration

OWNER, OTHER, BITCOIN = account(1), account(2), account(3)
DOLLAR, WAD = 10**8, 10**18
FAR_OFF = 4 * 10**9


@dataclass(frozen=True)
class Feeds:
    """WETH's price source (a proxy over a feed) and a second feed; every word of both can be set."""

    anvil: Anvil
    proxy: str
    first: str
    second: str

    def queue(self, target: str, signature: str, *arguments: object) -> None:
        """A change that the next block will bring."""
        queue(self.anvil, {"from": ACCOUNTS[0], "to": target, "data": calldata(signature, *arguments)})

    def answer(self, dollars: int) -> None:
        self.queue(self.first, "updateAnswer(int256)", dollars * DOLLAR)

    def second_answer(self, dollars: int) -> None:
        self.queue(self.second, "updateAnswer(int256)", dollars * DOLLAR)


@pytest.fixture(params=["3.0.2", "3.6"])
def market(request: pytest.FixtureRequest) -> Iterator[tuple[AaveDeployment, Feeds]]:
    """A market of either version whose WETH has stand-in sources, with liquidity."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        deploy = {"3.0.2": deploy_v302, "3.6": deploy_v36}[request.param]
        deployed = deploy(anvil.rpc, *demo_market())
        deployer = Deployer(anvil.rpc, ACCOUNTS[0])
        first = make.create_feed(deployer, 2500 * DOLLAR)
        second = make.create_feed(deployer, 2500 * DOLLAR)
        feeds = Feeds(anvil, create_proxy(deployer, first), first, second)
        deployer.flush()
        open_market(anvil, deployed)
        yield deployed, feeds


def settings(feeds: Feeds, oracle: str = "") -> str:
    """What is known of WETH's price, and an owner to be protected by repaying."""
    return f"""
[markets.aave.oracles.WETH]
{oracle.replace("SECOND", feeds.second)}
[[protect]]
market = "aave"
account = "{OWNER}"
target = 1.25
max_spend_per_owner_day = "1000000"
steps = [{{ action = "repay", asset = "USDC" }}]
"""


def start(market: tuple[AaveDeployment, Feeds], folder: Path, oracle: str = "") -> World:
    """A keeper with money, an owner and another borrower on WETH (health 1.6), one on WBTC."""
    deployed, feeds = market
    w = world(feeds.anvil, deployed, folder, settings(feeds, oracle))
    weth, wbtc, usdc = (deployed.reserves[symbol] for symbol in ("WETH", "WBTC", "USDC"))
    w.send(
        act.set_oracle_source(deployed, weth, feeds.proxy),
        *_position(deployed, OWNER, 13_000),
        *_position(deployed, OTHER, 13_000),
        *act.mint_and_supply(deployed, wbtc, BITCOIN, 10**8),
        act.borrow(deployed, usdc, BITCOIN, 20_000 * 10**6),
        act.mint(deployed, usdc, w.payer, 100_000 * 10**6),
    )
    w.anvil.set_balance(w.payer, 10**19)
    w.work()
    return w


def _position(market: AaveDeployment, who: str, dollars: int) -> list[Tx]:
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    return [
        *act.mint_and_supply(market, weth, who, 10 * 10**18),
        act.borrow(market, usdc, who, dollars * 10**6),
    ]


def acted(w: World) -> set[tuple[str, str]]:
    names = {OWNER.lower(): "owner", OTHER.lower(): "other", BITCOIN.lower(): "bitcoin"}
    return {(names[i.account], i.kind) for i in w.intents()}


def now(w: World) -> int:
    assert w.deciding.head is not None
    return w.deciding.head.timestamp


def prices(w: World) -> Pricing:
    found = w.deciding.markets[0].prices
    assert found is not None
    return found


def faults(w: World) -> list[str]:
    return [a.kind for a in w.alerts() if a.kind.startswith("price_")]


def shown(w: World, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What `keeper status --json` says of WETH."""
    capsys.readouterr()
    status(w.config, as_json=True)
    rows = json.loads(capsys.readouterr().out)["prices"]
    found: dict[str, object] = next(row for row in rows if row["symbol"] == "WETH")
    return found


def accounts_seen(w: World) -> set[str]:
    return {v.account for v in last_valuations(w.deciding)}


SECOND = 'second_source = { kind = "chainlink", address = "SECOND" }'


def test_a_crash_of_forty_percent_in_one_block_is_acted_on_at_once(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, "heartbeat = 3600")
    market[1].answer(1500)
    w.step()
    assert w.health(OTHER) < WAD
    assert acted(w) == {("owner", "top_up"), ("other", "liquidate")}
    w.step()
    assert w.health(OWNER) >= 125 * WAD // 100
    w.step()
    assert {i.state for i in w.intents()} == {"settled"} and faults(w) == []


def test_a_crash_the_second_source_sees_too_is_acted_on_at_once(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, SECOND)
    market[1].answer(1500)
    market[1].second_answer(1520)
    w.step()
    assert acted(w) == {("owner", "top_up"), ("other", "liquidate")}


def test_disagreeing_holds_an_owners_money_until_another_round(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = start(market, tmp_path, SECOND)
    market[1].answer(1500)
    w.step()
    w.step()
    assert ("owner", "top_up") not in acted(w) and ("other", "liquidate") in acted(w)
    assert faults(w) == ["price_disagreeing"], "told once"
    assert "waiting for it to agree or for another round" in w.alerts("cannot_act")[0].body
    assert "disagreeing" in str(shown(w, capsys)["state"])
    # A keeper that starts in the middle of the dispute does not take it for settled.
    again = world(w.anvil, w.market, tmp_path, settings(market[1], SECOND))
    again.work()
    again.step()
    assert ("owner", "top_up") not in acted(again)
    market[1].answer(1495)
    again.step()
    assert ("owner", "top_up") in acted(again)


def test_a_spike_that_is_withdrawn_moves_no_owners_money(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, SECOND)
    for dollars in (1500, 2500, 1500, 2500):
        market[1].answer(dollars)
        w.step()
    assert ("owner", "top_up") not in acted(w)
    assert faults(w) == ["price_disagreeing", "price_well"] * 2


@pytest.mark.parametrize("fault", ["zero", "negative", "reverting"])
def test_without_a_price_its_holders_are_told_and_the_others_go_on(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    w = start(market, tmp_path)
    feeds = market[1]
    if fault == "reverting":
        feeds.queue(feeds.first, "setReverting(bool)", True)
    else:
        feeds.answer({"zero": 0, "negative": -5}[fault])
    w.queue_price("WBTC", 24_000 * DOLLAR)
    for _ in range(3):
        w.step()
    assert BITCOIN.lower() in accounts_seen(w) and OWNER.lower() not in accounts_seen(w)
    assert acted(w) == {("bitcoin", "liquidate")}, "the others go on"
    assert faults(w) == [f"price_{fault}"], "told once"
    [told] = w.alerts("unvaluable")
    assert told.account == OWNER.lower() and feeds.proxy.lower() in told.body
    assert w.alerts("market_failed") == [] and not halted(w.deciding).reason
    with w.store.session() as session:
        row = session.exec(select(MarketStatus)).one()
        assert row.may_act and row.unvaluable >= 2
    state = shown(w, capsys)
    assert state["price"] is None and fault in str(state["state"])
    feeds.queue(feeds.first, "setReverting(bool)", False)
    feeds.answer(1500)
    w.step()
    assert faults(w) == [f"price_{fault}", "price_well"]
    assert acted(w) == {("bitcoin", "liquidate"), ("owner", "top_up"), ("other", "liquidate")}


def test_a_stale_price_holds_top_ups_and_lets_liquidations_go(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = start(market, tmp_path, "heartbeat = 3600")
    feeds = market[1]
    old = w.heads[-1].timestamp - 4000
    feeds.queue(feeds.first, "setRound(uint80,int256,uint256)", 9, 1500 * DOLLAR, old)
    w.step()
    w.step()
    assert acted(w) == {("other", "liquidate")}
    assert faults(w) == ["price_stale"] and "stale" in str(shown(w, capsys)["state"])
    feeds.answer(1500)
    w.step()
    assert ("owner", "top_up") in acted(w) and faults(w) == ["price_stale", "price_well"]


def test_a_frozen_feed_holds_top_ups_however_fresh_it_claims_to_be(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = start(market, tmp_path, "heartbeat = 60\ndeviation = 0.9")
    feeds = market[1]

    def same_round(dollars: int) -> None:
        feeds.queue(feeds.first, "setRound(uint80,int256,uint256)", 1, dollars * DOLLAR, FAR_OFF)
        w.step()

    for _ in range(5):
        same_round(2500)
    assert faults(w) == []
    same_round(2500)
    same_round(1500)
    same_round(1500)
    assert faults(w) == ["price_frozen"] and "frozen" in str(shown(w, capsys)["state"])
    assert acted(w) == {("other", "liquidate")}
    feeds.queue(feeds.first, "setRound(uint80,int256,uint256)", 2, 1500 * DOLLAR, w.heads[-1].timestamp)
    w.step()
    assert ("owner", "top_up") in acted(w)


def test_a_feed_whose_round_id_never_moves_is_acted_on_by_its_time(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, "heartbeat = 60")
    feeds = market[1]

    def answer(dollars: int) -> None:
        now = w.heads[-1].timestamp + BLOCK_SECONDS
        feeds.queue(feeds.first, "setRound(uint80,int256,uint256)", 0, dollars * DOLLAR, now)
        w.step()

    for _ in range(8):
        answer(2500)
    answer(1500)
    assert faults(w) == [] and acted(w) == {("owner", "top_up"), ("other", "liquidate")}


def test_a_price_that_moves_without_a_round_holds_top_ups(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path)
    feeds = market[1]
    [(number, updated), _] = prices(w).memories[w.market.reserves["WETH"].asset.lower()].seen[0]
    feeds.queue(feeds.first, "setRound(uint80,int256,uint256)", number, 1500 * DOLLAR, updated)
    w.step()
    assert acted(w) == {("other", "liquidate")} and faults(w) == ["price_no_round"]


def test_a_price_beyond_its_bounds_moves_nothing_without_a_second_source(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, "min_price = 1600")
    market[1].answer(1500)
    w.step()
    assert acted(w) == set() and faults(w) == ["price_out_of_bounds"]
    assert any("no market price" in a.body for a in w.alerts("cannot_act"))


def test_a_liquidation_that_only_pays_at_the_protocols_price_is_left(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, SECOND)
    market[1].answer(1500)
    market[1].second_answer(1200)
    w.step()
    assert ("other", "liquidate") not in acted(w), "5 % of bonus do not pay for a fifth of the collateral"
    told = [a for a in w.alerts("cannot_act") if a.account == OTHER.lower()]
    assert "less than min_profit" in told[0].body
    market[1].second_answer(1490)
    w.step()
    assert ("other", "liquidate") in acted(w)


@pytest.mark.parametrize("unresolved", ["watch", "act"])
def test_an_unknown_source_is_watched_or_acted_on_as_configured(
    market: tuple[AaveDeployment, Feeds],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unresolved: str,
) -> None:
    monkeypatch.setenv("KEEPER_MARKETS__AAVE__UNKNOWN_ORACLES", unresolved)
    w = start(market, tmp_path)
    deployer = Deployer(w.anvil.rpc, ACCOUNTS[0])
    unknown = make.create_unknown(deployer)
    deployer.flush()
    w.send(act.set_oracle_source(w.market, w.market.reserves["WETH"], unknown))
    w.work()
    w.step()
    assert faults(w) == ["price_unresolved"]
    assert bool(acted(w)) == (unresolved == "act")
    state = str(shown(w, capsys)["state"])
    assert "26,000.00 of debt and 20.00 of collateral in 2 accounts hang on it" in state
    if unresolved == "watch":
        assert "of no known kind" in w.alerts("cannot_act")[0].body
        assert 'set markets.aave.unknown_oracles = "act"' in state


@pytest.mark.parametrize("market", ["3.6"], indirect=True)
def test_an_account_with_gho_is_acted_on(market: tuple[AaveDeployment, Feeds], tmp_path: Path) -> None:
    """Its oracle says one dollar for ever, and nothing else: no feed, no round, no description."""
    w = start(market, tmp_path, "heartbeat = 3600")
    deployer = Deployer(w.anvil.rpc, ACCOUNTS[0])
    gho = make.create_gho(deployer)
    deployer.flush()
    w.send(act.set_oracle_source(w.market, w.market.reserves["USDC"], gho))
    w.work()
    market[1].answer(1500)
    w.step()
    assert acted(w) == {("owner", "top_up"), ("other", "liquidate")} and faults(w) == []


def test_a_new_aggregator_behind_a_proxy_is_followed_without_requests_of_its_own(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    w = start(market, tmp_path, "heartbeat = 3600")
    feeds = market[1]
    w.step()
    before = w.deciding.pool.requests
    w.anvil.mine()
    look(w.deciding)
    quiet = w.deciding.pool.requests - before
    assert quiet <= 3, "newest block, its logs, one call for book, views and all feeds"
    deployer = Deployer(w.anvil.rpc, ACCOUNTS[0])
    other = make.create_feed(deployer, 2400 * DOLLAR)
    deployer.flush()
    w.anvil.set_automine(False)
    for step in change_aggregator(ACCOUNTS[0], feeds.proxy, other):
        queue(w.anvil, step)
    w.step()
    assert other.lower() in prices(w).extra_reads().emitters
    assert feeds.first.lower() not in prices(w).extra_reads().emitters
    feeds.queue(other, "updateAnswer(int256)", 1500 * DOLLAR)
    w.step()
    assert acted(w) == {("owner", "top_up"), ("other", "liquidate")} and faults(w) == []


def test_a_new_source_of_an_asset_is_resolved_in_the_block_that_brings_it(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path
) -> None:
    deployed, feeds = market
    w = start(market, tmp_path)
    deployer = Deployer(w.anvil.rpc, ACCOUNTS[0])
    ratio = make.create_ratio(deployer, 10**18)
    adapter = make.create_ratio_cap(deployer, feeds.proxy, ratio, 2 * 10**18)
    deployer.flush()
    w.anvil.set_automine(False)
    queue(w.anvil, act.set_oracle_source(deployed, deployed.reserves["WETH"], adapter))
    w.step()
    watched = prices(w).watched[deployed.reserves["WETH"].asset.lower()]
    assert watched.source.kind == "ratio-cap"
    assert [feed.address for feed in prices(w).feeds if feed.address == feeds.proxy.lower()]
    feeds.queue(ratio, "setRatio(int256)", 6 * 10**17)
    w.step()
    assert faults(w) == ["price_no_round"] and acted(w) == {("other", "liquidate")}
    feeds.answer(2490)
    w.step()
    assert ("owner", "top_up") in acted(w), "the leaf's new round confirms the derived price"


@pytest.mark.parametrize("market", ["3.6"], indirect=True)
def test_while_the_sequencer_is_down_nothing_is_sent_and_after_it_only_a_new_round_counts(
    market: tuple[AaveDeployment, Feeds], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = market[1]
    deployer = Deployer(feeds.anvil.rpc, ACCOUNTS[0])
    uptime = create_feed(deployer, 0)
    deployer.flush()
    monkeypatch.setenv("KEEPER_CHAINS__LOCAL__SEQUENCER_FEED", uptime)
    w = start(market, tmp_path)
    assert w.deciding.halt_reason == ""
    down_since = now(w)
    feeds.queue(uptime, "updateRoundData(uint80,int256,uint256,uint256)", 2, 1, down_since, down_since)
    feeds.answer(1500)
    w.step()
    assert "down" in w.deciding.halt_reason and acted(w) == set()
    assert len(w.alerts("sequencer_down")) == 1
    up_since = now(w)
    feeds.queue(uptime, "updateRoundData(uint80,int256,uint256,uint256)", 3, 0, up_since, up_since)
    w.step()
    assert w.deciding.halt_reason == "" and "price_stale" in faults(w)
    assert acted(w) == {("other", "liquidate")}, "the owner's money waits for a round after the outage"
    feeds.answer(1499)
    w.step()
    assert ("owner", "top_up") not in acted(w), "the other feed is from before the outage"
    w.anvil.set_next_timestamp(up_since + 900)
    w.anvil.mine()
    w.work()
    assert ("owner", "top_up") in acted(w)
