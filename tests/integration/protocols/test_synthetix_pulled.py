"""Synthetix v3 perps whose prices must be brought: valued behind signed updates, liquidated with them, and
every way in which their service errs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from eth_account import Account

from keeper.chain import blocks
from keeper.chain.calldata import encoded
from keeper.cli.contracts import deploy
from keeper.cli.pause import pause, resume
from keeper.doctor.checks import run_checks
from keeper.errors import ConfigError
from keeper.localchain import synthetix_v3
from keeper.localchain import synthetix_v3_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.hermes_standin import HermesStandIn, Trouble
from keeper.localchain.synthetix_v3_market import WAD, SynthSpec
from keeper.localchain.transactions import TransactionFailedError, Tx, queue
from keeper.model.account_key import account_key
from keeper.oracles.pull import hermes
from keeper.oracles.pull.carrier import carried
from keeper.oracles.pull.hermes import NotServedError
from keeper.oracles.pull.service import PriceService
from keeper.oracles.pull.trial import tried
from keeper.protocols.registry import load
from keeper.service import contract_versions
from keeper.service.execution import allowed
from keeper.service.markets import build, pools
from keeper.service.watching.parity import audit
from keeper.store.tables.journal import Intent
from tests.conformance.case import protection
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, KEY, PASSWORD, Keeping, keeping
from tests.support.program import run_keeper
from tests.support.synthetix_exchange import FEEDS, PERPS, SYNTHS, Exchange, logged

pytestmark = pytest.mark.integration

TRADER, KEEPER = ACCOUNTS[2], ACCOUNTS[3]
PAYER = str(Account.from_key(KEY).address)
LONG, OTHER, THIRD = 1_000_001, 1_000_002, 1_000_003
SBTC = SynthSpec("sBTC", "BTC")
SETTLED = (
    "OrderSettled(uint128,uint128,uint256,int256,int256,int128,int128,uint256,uint256,uint256,uint256,"
    "bytes32,address)"
)


@dataclass
class Bench:
    """A market of which BTC's price must be brought, ETH's stands on chain; and who signs."""

    at: Exchange
    service: HermesStandIn
    carrier: str
    folder: Path

    def keeper(
        self,
        *,
        carrier: bool = True,
        service: bool = True,
        execution: str = "",
        protect: str = "",
        chain: str = "",
    ) -> Keeping:
        """From here on a block at a time."""
        self.at.anvil.set_automine(False)
        self.at.anvil.set_timestamp_interval(BLOCK_SECONDS)
        own = [f'price_service = "{self.service.url}"'] if service else []
        own += [f'price_carrier = "{self.carrier}"'] if carrier else []
        lines = ['protocol = "synthetix-v3"', f'address = "{self.at.system.perps}"']
        market = "\n".join([*lines, "[markets.m.synthetix_v3]", *own])
        return keeping(self.at.anvil, market, self.folder, f"[execution]\n{execution}\n{protect}", chain)

    def publish(self, dollars: int, back: int = 0) -> None:
        """BTC's signed price, so many seconds before the present block."""
        self.service.publish(self.at.btc.feed.price_id, dollars * 10**8, self.at.now() - back)

    def step(self, k: Keeping, dollars: int) -> None:
        """A block, and a price as old as it."""
        k.anvil.mine()
        self.publish(dollars)
        k.work()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        anvil = stack.enter_context(Anvil(AnvilOptions(timestamp=GENESIS)))
        service = stack.enter_context(HermesStandIn())
        at = Exchange(anvil, synthetix_v3.deploy(anvil.rpc, FEEDS, PERPS, (*SYNTHS, SBTC)))
        queue = Deployer(anvil.rpc, ACCOUNTS[0])
        carrier = queue.create(own_artifact("PriceCarrier"))
        queue.flush()
        at.open_account(TRADER, LONG, dollars=2_000)
        at.trade(TRADER, LONG, at.btc, WAD, 30_000, KEEPER)
        anvil.set_balance(PAYER, 10**20)
        made = Bench(at, service, carrier, tmp_path)
        made.publish(30_000)
        yield made


def done(k: Keeping, account: int = LONG) -> list[Intent]:
    return [each for each in k.intents() if each.account == account_key(str(account))]


def test_accounts_are_valued_behind_the_update_as_the_market_itself_values_them(bench: Bench) -> None:
    at, sbtc = bench.at, bench.at.system.synths["sBTC"]
    at.open_account(TRADER, OTHER, dollars=5_000)
    at.trade(TRADER, OTHER, at.eth, WAD, 2_000, KEEPER)
    at.open_account(TRADER, THIRD, synths=1)
    at.send(*act.mint_and_deposit(at.system, TRADER, THIRD, WAD // 3, sbtc))
    for perp, size, dollars in ((at.btc, -WAD // 7, 30_000), (at.eth, WAD, 2_000)):
        at.trade(TRADER, THIRD, perp, size, dollars, KEEPER)
    k = bench.keeper(carrier=False)
    for price in (30_000, 29_000, 31_234, 1, 987_654):
        bench.step(k, price)
        [market] = k.deciding.markets
        last = k.deciding.last_valued["m"]
        own = {each.account: each for each in last.valuations}
        assert own == market.book.views(last.head, list(market.book.accounts))
        assert market.book.state.perps[bench.at.btc.id].price == price * WAD
    # Behind the update only: on chain the price is as old as its market was made.
    assert bench.at.number("indexPrice(uint128)", bench.at.btc.id) == 30_000 * WAD
    assert k.alerts("market_warning") == []


def test_a_crash_is_liquidated_with_its_price_in_one_transaction_and_pays_the_signer(bench: Bench) -> None:
    k = bench.keeper()
    bench.step(k, 30_000)
    assert k.intents() == []
    bench.step(k, 28_300)
    bench.step(k, 28_300)
    bench.step(k, 28_300)
    [intent] = done(k)
    assert (intent.kind, intent.state) == ("liquidate", "settled")
    plan = json.loads(intent.plan)
    assert plan["target"] == bench.carrier.lower() and plan["value"] == 1
    assert bench.at.size(LONG, bench.at.btc) == 0
    assert bench.at.dollars(k.payer) > 0 and bench.at.dollars(bench.carrier) == 0
    assert len([each for each in k.transactions() if each.purpose == "act"]) == 1


@pytest.mark.parametrize("trouble", ["", "wrongly signed"])
def test_other_markets_are_read_as_the_chain_stands_whatever_is_brought_to_this_one(
    bench: Bench, trouble: Trouble
) -> None:
    bench.service.trouble = trouble
    other = f'[markets.n]\nprotocol = "synthetix-v3"\nchain = "local"\naddress = "{bench.at.system.perps}"'
    k = bench.keeper(protect=other)
    for price in (30_000, 28_300):
        bench.step(k, price)
    prices = {each.name: each.book.state.perps[bench.at.btc.id].price for each in k.deciding.markets}
    assert prices == {"m": (30_000 if trouble else 28_300) * WAD, "n": 30_000 * WAD}
    for market in k.deciding.markets:
        last = k.deciding.last_valued[market.name]
        own = {each.account: each for each in last.valuations}
        assert own == market.book.views(last.head, list(market.book.accounts)) and last.acting
    assert [each for each in done(k) if each.market == "n"] == []


def test_bringing_prices_costs_one_request_to_their_service_and_none_to_a_node(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    k = bench.keeper()
    plain = replace(bench, folder=tmp_path / "other").keeper(service=False)
    bench.step(k, 30_000)
    plain.work()
    for _ in range(3):
        asked, before = len(bench.service.asked), (k.deciding.pool.requests, plain.deciding.pool.requests)
        bench.step(k, 30_000)
        plain.work()
        after = (k.deciding.pool.requests, plain.deciding.pool.requests)
        assert after[0] - before[0] == after[1] - before[1]
        assert len(bench.service.asked) == asked + 1


TROUBLES: dict[Trouble | str, str] = {
    "down": "cannot be reached",
    "slow": "did not answer in time",
    "garbage": "what is no price update",
    "refusing": "HTTP 429",
    "old": "s old, more than",
    "early": "after the block",
    "wrongly signed": "InvalidUpdateDataSource",
    "unsure": "unsure by 10.00%",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_is_wrong_with_the_service_is_said_and_nothing_sent_until_it_is_well(
    bench: Bench, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hermes, "SECONDS", 0.3)
    bench.service.seconds = 0.5
    k = bench.keeper()
    bench.step(k, 30_000)
    if trouble == "down":
        bench.service.stop()
    else:
        bench.service.trouble = trouble  # type: ignore[assignment]
    for _ in range(2):
        bench.step(k, 28_300)
    assert k.transactions() == []
    told = [each.title for each in k.alerts("market_warning")]
    assert len(told) == 1 and TROUBLES[trouble] in told[0], told
    # The others' accounts go on: ETH's price needs nobody.
    assert k.deciding.last_valued["m"].acting

    if trouble == "down":
        bench.service.start()
    bench.service.trouble = ""
    for _ in range(4):
        bench.step(k, 28_300)
    assert [each.state for each in done(k)] == ["settled"]
    assert len(k.alerts("market_warning_over")) == 1


def test_an_order_settles_at_the_first_price_from_its_time_on_which_the_carrier_brings(bench: Bench) -> None:
    at, rpc = bench.at, bench.at.anvil.rpc
    at.open_account(TRADER, OTHER, dollars=5_000)
    at.commit(TRADER, OTHER, at.btc, WAD // 10)
    time = act.price_time(rpc, at.system, OTHER, at.btc)
    signer = PriceService(bench.service.url, 60, Decimal("0.01"))
    identity = at.btc.feed.price_id
    with pytest.raises(NotServedError):
        signer.benchmark(at.system.wrapper, [identity], time, time)
    for second, dollars in ((time - 1, 29_000), (time + 1, 30_100), (time + 2, 31_000)):
        bench.service.publish(identity, dollars * 10**8, second)
    update = signer.benchmark(at.system.wrapper, [identity], time, time)

    k = bench.keeper()
    [found] = tried(k.deciding.pool, blocks.latest(k.deciding.pool), [update])
    assert found.reverted is None and found.update.fee == 1
    at.anvil.set_automine(True)
    before = at.dollars(KEEPER)
    call = encoded("settleOrder(uint128)", OTHER)
    data = carried([found.update], at.system.perps, call, {at.system.usd: WAD})
    tx: Tx = {"from": KEEPER, "to": bench.carrier, "data": "0x" + data.hex(), "value": 1, "gas": 4_000_000}
    [receipt] = at.send(tx)
    assert at.size(OTHER, at.btc) == WAD // 10
    # A dollar for settling, and what it costs to.
    assert at.dollars(KEEPER) - before == 5 * WAD // 2 and at.dollars(bench.carrier) == 0
    [settled] = logged(receipt, SETTLED)
    assert int(str(settled["data"])[2:66], 16) // WAD in range(30_100, 30_105), (
        "a ten-thousandth more for the skew"
    )


@pytest.mark.parametrize("limit", [None, 29_000])
def test_a_waiting_order_is_settled_or_cancelled_at_a_price_that_is_brought_along(
    bench: Bench, limit: int | None
) -> None:
    at = bench.at
    at.open_account(TRADER, OTHER, dollars=5_000)
    k = bench.keeper(chain="native_price = 1\n")
    bench.step(k, 30_000)
    queue(
        k.anvil,
        act.commit_order(at.system, TRADER, OTHER, at.btc, WAD // 10, None if limit is None else limit * WAD),
    )
    bench.step(k, 30_100)
    assert done(k, OTHER) == [], "its window is not open"
    bench.step(k, 30_200)
    bench.step(k, 30_300)
    bench.step(k, 30_300)
    [intent] = done(k, OTHER)
    plan = json.loads(intent.plan)
    assert (intent.kind, intent.state) == ("settle", "settled"), intent.reason
    assert plan["target"] == bench.carrier.lower()
    assert plan["action"] == ("settle_order" if limit is None else "cancel_order")
    assert (at.size(OTHER, at.btc) != 0) == (limit is None)
    assert at.dollars(k.payer) == (5 * WAD // 2 if limit is None else WAD)
    assert len([each for each in k.transactions() if each.purpose == "act"]) == 1


@pytest.mark.parametrize("trouble", ["refusing", "wrongly signed"])
def test_an_order_whose_price_cannot_be_brought_waits_and_is_said(bench: Bench, trouble: Trouble) -> None:
    at = bench.at
    at.open_account(TRADER, OTHER, dollars=5_000)
    k = bench.keeper(chain="native_price = 1\n")
    bench.step(k, 30_000)
    queue(k.anvil, act.commit_order(at.system, TRADER, OTHER, at.btc, WAD // 10))
    bench.step(k, 30_100)
    bench.service.trouble = trouble
    bench.step(k, 30_200)
    bench.step(k, 30_200)
    assert done(k, OTHER) == [] and k.transactions() == []
    said = k.episodes("upkeep")[0].blocked_reason
    assert ("cannot be had" if trouble == "refusing" else "is refused by the oracle") in said, said
    bench.service.trouble = ""
    for _ in range(4):
        bench.step(k, 30_300)
    assert [(each.kind, each.state) for each in done(k, OTHER)] == [("settle", "settled")]


def test_a_plan_whose_prices_have_aged_is_never_sent_and_made_anew(bench: Bench) -> None:
    k = bench.keeper(execution="plan_blocks = 30")
    bench.step(k, 30_000)
    pause(bench.folder / "keeper.toml", "a look", as_json=False)
    bench.step(k, 28_300)
    [planned] = done(k)
    assert planned.state == "planned"
    for _ in range(6):
        bench.step(k, 28_300)
    resume(bench.folder / "keeper.toml", as_json=False)
    bench.step(k, 28_300)
    assert k.transactions() == []
    [over] = done(k)
    assert (over.state, over.unsent) == ("expired", "aged") and "too old" in over.reason
    for _ in range(3):
        bench.step(k, 28_300)
    assert [each.state for each in done(k)] == ["expired", "settled"]
    assert [each.purpose for each in k.transactions()] == ["act"]


def test_an_owner_is_helped_at_a_price_that_is_brought_each_new_one_being_a_round(bench: Bench) -> None:
    bench.at.open_account(PAYER, OTHER, dollars=2_000)
    bench.at.trade(PAYER, OTHER, bench.at.btc, WAD, 30_000, KEEPER)
    bench.at.send(act.mint(bench.at.system, PAYER, 10**5 * WAD))
    k = bench.keeper(protect=protection(str(OTHER), "add_collateral", "snxUSD"))
    bench.step(k, 30_000)
    [market] = k.deciding.markets
    assert market.prices is not None
    watched = next(each for each in market.prices.watched.values() if each.symbol == "BTC")
    assert (watched.source.kind, watched.source.basis) == ("pulled", "feeds")
    for _ in range(3):
        bench.step(k, 28_600)
    [helped] = done(k, OTHER)
    assert (helped.kind, helped.state) == ("top_up", "settled")


def test_prices_of_what_others_have_as_collateral_are_brought_along_too(bench: Bench) -> None:
    """The rate of interest, which a liquidation finds anew, hangs on the worth of all collateral."""
    at, system = bench.at, bench.at.system
    at.open_account(TRADER, OTHER)
    at.send(*act.mint_and_deposit(system, TRADER, OTHER, WAD, system.synths["sBTC"]))
    at.open_account(TRADER, THIRD, dollars=2_000)
    at.trade(TRADER, THIRD, at.eth, 15 * WAD, 2_000, KEEPER)
    at.anvil.increase_time(4_000)
    at.anvil.mine()
    k = bench.keeper()
    bench.step(k, 30_000)
    k.anvil.set_automine(True)
    at.send(act.set_price(system, "ETH", 1_880 * 10**8))
    with pytest.raises(TransactionFailedError, match="OracleDataRequired"):
        at.send(act.liquidate(system, KEEPER, THIRD))
    k.anvil.set_automine(False)
    for _ in range(3):
        bench.step(k, 30_000)
    [intent] = done(k, THIRD)
    assert intent.state == "settled" and json.loads(intent.plan)["target"] == bench.carrier.lower()


def test_without_a_carrier_nothing_is_sent_and_what_to_do_is_said(bench: Bench) -> None:
    k = bench.keeper(carrier=False)
    bench.step(k, 30_000)
    bench.step(k, 28_300)
    assert k.intents() == []
    [told] = k.alerts("cannot_act")
    assert "keeper contracts deploy price-carrier" in told.body


def test_without_a_service_what_is_missing_is_said(bench: Bench) -> None:
    k = bench.keeper(service=False)
    k.step()
    [told] = k.alerts("market_warning")
    assert "markets.m.synthetix_v3.price_service" in told.title
    # What others brought counts.
    assert k.deciding.markets[0].book.state.perps[bench.at.btc.id].price == 30_000 * WAD


def test_whoever_looks_once_looks_behind_the_update(bench: Bench) -> None:
    k, config = bench.keeper(), bench.folder / "keeper.toml"
    bench.publish(29_000)
    scanned = run_keeper("scan", "--json", "--config", str(config))
    [account] = json.loads(scanned.stdout)["markets"][0]["accounts"]
    assert 970 * WAD < int(account["equity"]) < 1_000 * WAD, "2,000 less fees and a fall of 1,000"
    settings = load(config)
    [market] = build(settings, pools(settings), None, read_only=True)
    found = audit(market, blocks.latest(market.book.pool))
    assert found.agrees and found.accounts == 1
    assert market.book.state.perps[bench.at.btc.id].price == 29_000 * WAD
    told = {each.subject: each for each in run_checks(settings, config)}
    assert told["market m, signed prices"].verdict == "ok"
    assert told["market m, price carrier"].verdict == "ok"
    assert k.transactions() == []


def test_the_carrier_is_made_by_a_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEEPER_KEYSTORE_PASSWORD", PASSWORD)
    k, config = bench.keeper(carrier=False), bench.folder / "keeper.toml"
    bench.at.anvil.set_automine(True)
    with pytest.raises(ConfigError, match="is missing"):
        deploy(config, "price-carrier", live=True, as_json=True)
    deploy(config, "price-carrier", market="m", live=True, as_json=True)
    made = json.loads(capsys.readouterr().out.splitlines()[-1])["price_carrier"]
    assert load(config).markets["m"].own.ours("price-carrier") == made
    found = contract_versions.at(k.deciding.pool, "PriceCarrier", made)
    assert found is not None and found.is_latest
    assert made.lower() in allowed(load(config), "local")


def test_the_doctor_says_what_ails_service_and_carrier(bench: Bench) -> None:
    replace(bench, carrier=bench.at.system.usd).keeper()
    bench.service.stop()
    config = bench.folder / "keeper.toml"
    told = {each.subject: each for each in run_checks(load(config), config)}
    service, carrier = told["market m, signed prices"], told["market m, price carrier"]
    assert service.verdict == "warning" and "cannot be reached" in service.detail
    assert carrier.verdict == "fault" and "is not our PriceCarrier" in carrier.detail


def test_a_new_configuration_says_what_must_be_named(bench: Bench) -> None:
    flags = ("--rpc", bench.at.anvil.url, "--json", "--config", str(bench.folder / "new.toml"))
    done = run_keeper("init", bench.at.system.perps, *flags)
    assert done.returncode == 0, done.stderr
    text = (bench.folder / "new.toml").read_text()
    assert "# price_service = " in text and "--market perps" in text
    assert "Of no known kind" not in text and "pulled " in text


def test_what_no_block_takes_before_its_prices_have_aged_is_cancelled(bench: Bench) -> None:
    k = bench.keeper(execution="plan_blocks = 30\ncancel_blocks = 30\nreplace_blocks = 30")
    bench.step(k, 30_000)
    bench.step(k, 28_300)
    for _ in range(7):
        # A builder that takes nothing of ours: whatever is handed over is gone before the next block.
        for each in k.transactions():
            if each.purpose == "act":
                bench.at.anvil.rpc.call("anvil_dropTransaction", each.hash)
        bench.step(k, 28_300)
        if any(each.purpose == "cancel" for each in k.transactions()):
            break
    assert {each.purpose for each in k.transactions()} == {"act", "cancel"}
    plan = json.loads(done(k)[0].plan)
    assert plan["valid_until"] < k.heads[-1].timestamp + BLOCK_SECONDS
    assert bench.at.size(LONG, bench.at.btc) == WAD
    for _ in range(4):
        bench.step(k, 28_300)
    assert [each.state for each in done(k)] == ["expired", "settled"]
    assert bench.at.size(LONG, bench.at.btc) == 0


def test_settling_takes_prices_that_only_a_liquidation_finds_too_old(bench: Bench) -> None:
    """Orders are committed and settled at the feed's own tolerance, only liquidations want a minute's."""
    at = bench.at
    at.anvil.increase_time(90)
    at.anvil.mine()
    k = bench.keeper(service=False, chain="native_price = 1\n")
    bench.step(k, 30_000)
    queue(k.anvil, act.commit_order(at.system, TRADER, LONG, at.btc, -WAD // 10))
    bench.step(k, 30_000)
    time = act.price_time(at.anvil.rpc, at.system, LONG, at.btc)
    queue(k.anvil, act.bring_benchmark(at.system, KEEPER, at.btc.feed, 30_000 * 10**8, time))
    for _ in range(4):
        bench.step(k, 30_000)
    assert [(each.kind, each.state) for each in done(k)] == [("settle", "settled")]
