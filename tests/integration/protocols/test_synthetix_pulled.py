"""Synthetix v3 perps whose prices must be brought: valued behind signed updates, liquidated with them, and
every way in which their service errs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.hermes_standin import HermesStandIn, Trouble
from keeper.localchain.synthetix_v3 import deploy
from keeper.localchain.synthetix_v3_market import WAD
from keeper.model.account_key import account_key
from keeper.oracles.pull import hermes
from keeper.store.tables.journal import Intent
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping
from tests.support.synthetix_exchange import FEEDS, PERPS, SYNTHS, Exchange

pytestmark = pytest.mark.integration

TRADER, KEEPER = ACCOUNTS[2], ACCOUNTS[3]
LONG, OTHER = 1_000_001, 1_000_002


@dataclass
class Bench:
    """A market of which BTC's price must be brought, ETH's stands on chain; and who signs."""

    at: Exchange
    service: HermesStandIn
    carrier: str
    folder: Path

    def keeper(self, more: str = "", carrier: bool = True) -> Keeping:
        """From here on a block at a time."""
        self.at.anvil.set_automine(False)
        self.at.anvil.set_timestamp_interval(BLOCK_SECONDS)
        own = f'price_carrier = "{self.carrier}"' if carrier else ""
        market = (
            f'protocol = "synthetix-v3"\naddress = "{self.at.system.perps}"\n{more}\n'
            f'[markets.m.synthetix_v3]\nprice_service = "{self.service.url}"\n{own}'
        )
        return keeping(self.at.anvil, market, self.folder)

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
        at = Exchange(anvil, deploy(anvil.rpc, FEEDS, PERPS, SYNTHS))
        queue = Deployer(anvil.rpc, ACCOUNTS[0])
        carrier = queue.create(own_artifact("PriceCarrier"))
        queue.flush()
        at.open_account(TRADER, LONG, dollars=2_000)
        at.trade(TRADER, LONG, at.btc, WAD, 30_000, KEEPER)
        made = Bench(at, service, carrier, tmp_path)
        made.publish(30_000)
        yield made


def done(k: Keeping, account: int = LONG) -> list[Intent]:
    return [each for each in k.intents() if each.account == account_key(str(account))]


def test_accounts_are_valued_behind_the_update_as_the_market_itself_values_them(bench: Bench) -> None:
    bench.at.open_account(TRADER, OTHER, dollars=5_000)
    bench.at.trade(TRADER, OTHER, bench.at.eth, WAD, 2_000, KEEPER)
    k = bench.keeper()
    for price in (30_000, 29_000, 31_234):
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
    k = bench.keeper('unknown_oracles = "act"')
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
    k = bench.keeper('unknown_oracles = "act"')
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
