"""Where our arithmetic is not the contract's, nothing is acted on: the market is watched, and it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from sqlmodel import select

from keeper.chain import blocks
from keeper.cli.status import status
from keeper.localchain import aave_actions as act
from keeper.localchain.calldata import calldata
from keeper.localchain.transactions import Tx, send_batch
from keeper.model.valuation import Valuation
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.daemon import Daemon
from keeper.service.markets import Adapter, Market
from keeper.service.tick import ChainLoops, advance
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState
from keeper.store.tables.watching import MarketStatus
from tests.conftest import LocalMarket
from tests.support import random_market as rnd
from tests.support.aave_upgrades import Arithmetic, upgrade_arithmetic, upgrade_revision
from tests.support.ticks import last_valuations, look, no_sample

pytestmark = pytest.mark.integration

PAYER = "0x" + "aa" * 20


@dataclass
class Watch:
    """A dry-run daemon's deciding loop on a local market, and what it has written."""

    local: LocalMarket
    config: Path
    store: Store

    def loops(self) -> ChainLoops:
        """The two loops of a daemon that has seen nothing yet."""
        return Daemon(load(self.config), self.store, PAYER, None).chains["local"]

    def start(self) -> ChainLoop:
        return self.loops().deciding

    def send(self, *txs: Tx) -> None:
        send_batch(self.local.rpc, list(txs), self.local.market.errors)

    def price(self, dollars: float) -> None:
        """A new price of WETH, in a block of its own."""
        reserve = self.local.market.reserves["WETH"]
        self.send(act.set_price(self.local.market, reserve, int(dollars * 10**8)))

    def borrower(self, number: int, dai: int) -> str:
        """Collateral in an uneven mix and a debt that is no whole number of base units."""
        market, account = self.local.market, rnd.address(number)
        weth, wbtc, asset = (market.reserves[symbol] for symbol in ("WETH", "WBTC", "DAI"))
        self.send(
            *act.mint_and_supply(market, weth, account, 10**18 + 12345 + number),
            *act.mint_and_supply(market, wbtc, account, 1_234_567 + 101 * number),
            act.borrow(market, asset, account, dai),
        )
        return account

    def alerts(self, kind: str) -> list[Alert]:
        with self.store.session() as session:
            return list(session.exec(select(Alert).where(Alert.kind == kind)).all())

    def intents(self) -> list[Intent]:
        with self.store.session() as session:
            return list(session.exec(select(Intent)).all())

    def status(self) -> MarketStatus:
        with self.store.session() as session:
            found = session.get(MarketStatus, "aave")
        assert found is not None
        return found


@pytest.fixture
def watch(aave_v302: LocalMarket, tmp_path: Path) -> Iterator[Watch]:
    """Three borrowers at health 1.3 and better; the payer could liquidate any of them."""
    config = tmp_path / "keeper.toml"
    config.write_text(
        f"""
[chains.local]
chain_id = 31337
rpc = ["{aave_v302.anvil.url}"]
block_time = 12
[markets.aave]
protocol = "aave-v3"
chain = "local"
address = "{aave_v302.market.pool}"
audit_sample = 4
[policy]
min_profit = -1000
"""
    )
    market, dai = aave_v302.market, aave_v302.market.reserves["DAI"]
    store = open_store(f"sqlite:///{tmp_path / 'keeper.db'}")
    made = Watch(aave_v302, config, store)
    made.send(*act.mint_and_supply(market, dai, rnd.LENDER, 10**25), act.mint(market, dai, PAYER, 10**24))
    aave_v302.anvil.set_balance(PAYER, 10**19)
    for number in (1, 2, 3):
        made.borrower(number, 2 * 10**21 + 7 * number)
    yield made
    store.close()


def test_a_market_whose_numbers_agree_is_acted_in(watch: Watch) -> None:
    """The positive control: without an upgrade the same crash is planned for."""
    deciding = watch.start()
    look(deciding)
    watch.price(1400)
    look(deciding)
    assert watch.status().may_act
    assert watch.intents()
    assert watch.alerts("watch_only") == []


def test_a_higher_revision_with_known_arithmetic_that_agrees_goes_on_acting(watch: Watch) -> None:
    deciding = watch.start()
    look(deciding)
    upgrade_revision(watch.local.rpc, watch.local.market, 2)
    watch.price(1400)
    look(deciding)
    assert (watch.status().may_act, watch.status().revision) == (True, 2)
    assert watch.intents()


@pytest.mark.parametrize("change", ["debt_up", "threshold_up", "revision"])
def test_an_upgrade_while_running_stops_acting_at_once_and_is_told_once(
    watch: Watch, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deciding = watch.start()
    look(deciding)
    assert watch.status().may_act
    _upgrade(watch, change)
    for dollars in (1400, 1399.5, 1398, 1000):
        watch.price(dollars)
        look(deciding)
        _numbers_are_the_contracts(deciding)
    assert watch.intents() == []
    (alert,) = watch.alerts("watch_only")
    assert alert.severity == "critical"
    assert ("revision 77" if change == "revision" else "differ") in alert.title
    capsys.readouterr()
    status(watch.config, as_json=True)
    (shown,) = json.loads(capsys.readouterr().out)["markets"]
    assert shown["may_act"] is False
    assert shown["watch_only_reason"] in alert.title
    status(watch.config, as_json=False)
    assert "WATCHED" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["debt_up", "threshold_up", "revision"])
def test_a_market_that_disagrees_at_the_start_is_never_acted_in(watch: Watch, change: str) -> None:
    """The sample is compared before anything is planned, even though an account is to be liquidated."""
    _upgrade(watch, change)
    watch.price(1400)
    deciding = watch.start()
    look(deciding)
    assert not watch.status().may_act
    assert watch.intents() == []
    assert len(watch.alerts("watch_only")) == 1
    _numbers_are_the_contracts(deciding)
    assert any(v.health is not None and v.health < 10**18 for v in last_valuations(deciding))


def test_what_was_planned_before_the_upgrade_is_not_carried_out_after_it(watch: Watch) -> None:
    loops = watch.loops()
    assert loops.actor is not None
    watch.price(1400)
    look(loops.deciding)
    planned = watch.intents()
    assert {intent.state for intent in planned} == {IntentState.PLANNED}
    upgrade_arithmetic(watch.local.rpc, watch.local.market, "debt_up")
    head = look(loops.deciding)
    assert head is not None
    advance(loops)
    assert [intent.id for intent in watch.intents()] == [intent.id for intent in planned]
    assert {(intent.state, intent.reason) for intent in watch.intents()} == {
        (IntentState.REFUSED, "the market is watched only")
    }


def test_an_upgrade_that_agrees_again_is_acted_in_again(watch: Watch) -> None:
    original = watch.local.rpc.text(
        "eth_getStorageAt", watch.local.market.pool, _implementation_slot(), "latest"
    )
    deciding = watch.start()
    look(deciding)
    upgrade_arithmetic(watch.local.rpc, watch.local.market, "debt_up")
    look(deciding)
    assert not watch.status().may_act
    back = calldata("upgradeTo(address)", "0x" + original[-40:])
    market = watch.local.market
    watch.send({"from": market.addresses_provider, "to": market.pool, "data": back})
    watch.price(1400)
    look(deciding)
    assert watch.status().may_act
    assert watch.status().watch_only_reason == ""
    assert watch.intents()
    upgrade_arithmetic(watch.local.rpc, market, "threshold_up")
    look(deciding)
    assert not watch.status().may_act
    assert len(watch.alerts("watch_only")) == 2


def test_the_accounts_that_would_be_acted_on_are_compared_at_the_block_of_the_upgrade(watch: Watch) -> None:
    """An even sample of a large market may miss the only ones that differ: those nearest to 1 are in it."""
    market, dai = watch.local.market, watch.local.market.reserves["DAI"]
    watch.send(act.mint(market, dai, rnd.LENDER, 10**24), act.approve(market, dai, rnd.LENDER))
    # Accounts without debt, whose numbers the change of debts leaves alone, crowd the sample.
    others = (rnd.address(number) for number in range(100, 1_000))
    watch.send(*(rnd.supply_for(market, "DAI", account, 10**15) for account in others))
    deciding = watch.start()
    look(deciding)
    upgrade_arithmetic(watch.local.rpc, market, "debt_up")
    watch.price(1400)
    look(deciding)
    assert not watch.status().may_act
    assert watch.intents() == []


def _upgrade(watch: Watch, change: str) -> None:
    if change == "revision":
        upgrade_revision(watch.local.rpc, watch.local.market, 77)
    else:
        changes: dict[str, Arithmetic] = {"debt_up": "debt_up", "threshold_up": "threshold_up"}
        upgrade_arithmetic(watch.local.rpc, watch.local.market, changes[change])


def _run(deciding: ChainLoop) -> Market:
    (run,) = deciding.markets
    return run


def _numbers_are_the_contracts(deciding: ChainLoop) -> None:
    run, head = _run(deciding), blocks.latest(deciding.pool)
    assert deciding.head == head
    assert {v.account: v for v in last_valuations(deciding)} == run.book.views(head, list(run.book.accounts))


def _implementation_slot() -> str:
    """Where EIP-1967 keeps a proxy's implementation: keccak("eip1967.proxy.implementation") - 1."""
    return hex(int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1)


def test_an_account_is_confirmed_by_the_contract_before_it_is_acted_on(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our numbers are wrong for an account that no sample has looked at: nothing is planned."""
    deciding = watch.start()
    look(deciding)
    [run] = deciding.markets
    no_sample(monkeypatch)
    victim = next(v for v in last_valuations(deciding) if v.health is not None)
    exact = run.adapter.valuer.value_records

    def wrong(*arguments: object) -> list[Valuation]:
        return [
            replace(v, health=v.health - 1) if v.account == victim.account and v.health else v
            for v in exact(*arguments)  # type: ignore[arg-type]
        ]

    monkeypatch.setattr(deciding, "markets", [replace(run, adapter=Wrapped(run.adapter, wrong))])  # type: ignore[arg-type]
    watch.price(1000)
    look(deciding)
    assert watch.intents() == []
    assert not watch.status().may_act
    assert "differ from the contract's" in watch.status().watch_only_reason
    assert len(watch.alerts("watch_only")) == 1


class Wrapped:
    """An adapter whose valuing is replaced."""

    def __init__(self, adapter: Adapter, value: Callable[..., list[Valuation]]) -> None:
        self._adapter = adapter
        self.value_records = value
        self.valuer = self

    def __getattr__(self, name: str) -> object:
        return getattr(self._adapter, name)
