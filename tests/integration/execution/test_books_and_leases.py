"""Books that one transaction does not hold up, leases that are released whatever happens at the end, and what
a native coin costs, by whatever name the operator gives it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from keeper.config import Settings
from keeper.model.money import WAD
from keeper.service.daemon import Daemon
from keeper.service.planning.native_price import native_price
from keeper.service.reporting.ledger import Ledger
from keeper.store.tables.journal import Lease, LedgerEntry
from tests.integration.execution.conftest import CRASH, Fresh, Ready
from tests.support.rpc_proxy import Request, proxy_to
from tests.support.world import World

pytestmark = pytest.mark.integration


def test_one_transaction_that_cannot_be_booked_holds_up_no_other(fresh: Fresh, ready: Ready) -> None:
    broken = list[str]()

    def spoil(request: Request, result: object) -> object:
        if request["method"] == "eth_getTransactionReceipt" and request["params"][0] in broken:
            assert isinstance(result, dict)
            logs = [{**each, "data": "0xnothing", "topics": [*each["topics"][:3]]} for each in result["logs"]]
            return {**result, "logs": logs}
        return result

    with proxy_to(fresh[0].url) as proxy:
        w = ready(rpc=proxy.url)
        proxy.answers.append(spoil)
        w.step(CRASH)
        w.step()
        w.step()
        acts = [t for t in w.transactions() if t.state == "final" and t.purpose == "act"]
        broken.append(acts[0].hash)
        ledger = Ledger(w.deciding)
        others = len([t for t in w.transactions() if t.state == "final"]) - 1
        assert ledger.book() == others > 0
        assert ledger.book() == 0
        [told] = w.alerts("not_posted")
        assert acts[0].hash in told.title
        broken.clear()
        assert ledger.book() == 1
    with w.store.session() as session:
        assert len(session.exec(select(LedgerEntry)).all()) == others + 1


def test_closing_releases_the_lease_whatever_happens(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    w = ready()
    assert w.actor.sender is not None
    w.actor.release()
    daemon = Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)
    loops = daemon.chains["local"]
    assert loops.actor is not None and loops.actor.sender is not None
    assert loops.actor.sender.lease.take() == ""

    def fail(*_: object) -> None:
        raise ArithmeticError("nobody thought of this")

    monkeypatch.setattr(loops.deciding, "save_books", fail)
    monkeypatch.setattr(daemon, "_close_books", fail)
    monkeypatch.setattr(daemon.deliverer, "run", fail)
    daemon.stop()
    with pytest.raises(ArithmeticError):
        daemon.run()
    with w.store.session() as session:
        assert session.exec(select(Lease)).all() == []


def told(w: World, wanted: Any, **policy: Any) -> int | None:
    """What a coin costs where `[chains.local] native_price` is `wanted`."""
    chain = w.settings.chains["local"].model_copy(update={"native_price": wanted})
    changes = {"chains": {"local": chain}, "policy": w.settings.policy.model_copy(update=policy)}
    settings: Settings = w.settings.model_copy(update=changes)
    return native_price(settings.of_chain("local"), w.deciding.markets)


def test_the_native_coin_is_priced_by_number_asset_or_feed_of_any_market(ready: Ready) -> None:
    w = ready()
    weth = w.market.reserves["WETH"].asset
    [run] = w.deciding.markets
    assert run.prices is not None
    feed = next(each.source for each in run.prices.watched.values() if each.symbol == "WETH")
    for name in ("WETH", "weth", weth, weth.lower(), "aave.WETH", next(feed.feeds()).address):
        assert told(w, name) == 2500 * WAD, name
    assert told(w, Decimal("31.5")) == 315 * WAD // 10
    assert told(w, "WBTC") == 60_000 * WAD
    assert told(w, "WAVAX") is None and told(w, "0x" + "12" * 20) is None
    # The old key of all chains comes after the chain's own.
    assert told(w, None, native_price=Decimal(7)) == 7 * WAD
    assert told(w, Decimal(8), native_price=Decimal(7)) == 8 * WAD
    # A market of another chain, which counts in a coin worth two units of account.
    other = replace(
        run, name="elsewhere", settings=run.settings.model_copy(update={"base_price": Decimal(2)})
    )
    w.deciding.markets[:] = [replace(run, neighbours=[run, other])]
    assert told(w, "elsewhere.WETH") == 5000 * WAD and told(w, "WETH") == 2500 * WAD


def test_a_start_without_a_native_price_is_told(ready: Ready) -> None:
    w = ready("[policy]\nnative_asset = 'WNOTHING'\n")
    daemon = Daemon(w.settings, w.store, w.payer, None)
    daemon.chains["local"].deciding.markets[:] = w.deciding.markets
    daemon.chains["local"].deciding.head = w.deciding.head
    daemon._gas_watch.look(daemon.chains["local"].deciding)
    daemon._gas_watch.look(daemon.chains["local"].deciding)
    [said] = w.alerts("no_native_price")
    assert said.severity == "critical" and "nothing is liquidated" in said.title
    assert "native_price" in said.body
