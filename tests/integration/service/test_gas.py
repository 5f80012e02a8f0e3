"""Gas money: kept for the protected, forecast from what was spent, told and shown."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from keeper.cli.status import status
from keeper.service.daemon import Daemon
from keeper.service.planning import gas_money
from keeper.store.tables.journal import Transaction
from keeper.store.types import now
from tests.integration.service.conftest import Fresh
from tests.support.positions import ether_for_dollars, fund, protect
from tests.support.world import World, account, world

pytestmark = pytest.mark.integration

OWNER, OTHER = account(1), account(2)
WAD = 10**18
COIN = 10**18
CRASH = {"WETH": 2230 * 10**8}


def both(market: Fresh, folder: Path, more: str, native: int) -> World:
    """A protected account and one to liquidate, both below their thresholds after CRASH."""
    anvil, deployed = market
    w = world(anvil, deployed, folder, more + protect(OWNER))
    w.send(*ether_for_dollars(deployed, OWNER, 10, 18_000), *ether_for_dollars(deployed, OTHER, 10, 19_000))
    fund(w, USDC=100_000 * 10**6)
    anvil.set_balance(w.payer, native)
    w.work()
    return w


@pytest.mark.parametrize("fresh_market", ["3.6"], indirect=True)
def test_min_native_is_never_spent_on_liquidations_but_on_top_ups(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w = both(fresh_market, tmp_path, "[policy]\nmin_native = 2\n", 2 * COIN)
    for _ in range(3):
        w.step(CRASH)
    assert {i.kind for i in w.intents()} == {"top_up"}
    assert w.health(OWNER) > 12 * WAD // 10
    [told] = [a for a in w.alerts("cannot_act") if a.account == OTHER.lower()]
    assert "gas_reserve" in told.body
    w.anvil.set_balance(w.payer, 3 * COIN)
    w.step()
    w.step()
    assert {i.kind for i in w.intents()} == {"top_up", "liquidate"}


@pytest.mark.parametrize("fresh_market", ["3.6"], indirect=True)
def test_gas_for_protected_accounts_is_reserved_before_liquidations(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    w = both(fresh_market, tmp_path, "", 10 * COIN)
    price = gas_money.gas_price(w.deciding.pool, w.heads[-1].base_fee)
    kept = gas_money.gas_reserve(w.deciding.settings, price)
    assert kept == gas_money.KEPT_GAS * gas_money.KEPT_RISE * price
    w.anvil.set_balance(w.payer, kept * 6 // 10)
    for _ in range(3):
        w.step(CRASH)
    assert {i.kind for i in w.intents()} == {"top_up"}


@pytest.mark.parametrize("fresh_market", ["3.6"], indirect=True)
def test_hours_left_are_forecast_from_what_was_spent_told_and_shown(
    fresh_market: Fresh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = both(fresh_market, tmp_path, "", 10 * COIN)
    for _ in range(4):
        w.step(CRASH)
    with w.store.session() as session:
        moment = now() + timedelta(hours=2)
        found = gas_money.forecast(session, "local", w.payer, COIN, moment)
    used = [t for t in w.transactions() if t.gas_used]
    assert used and found.spent == sum((t.gas_used or 0) * (t.gas_price or 0) for t in used)
    assert found.hours is not None
    with w.store.session() as session:
        row = session.get(Transaction, used[0].id)
        assert row is not None
        row.data_fee = found.spent
        session.flush()
        assert gas_money.forecast(session, "local", w.payer, COIN, moment).spent == 2 * found.spent, (
            "data too"
        )
        row.data_fee = 0
    # Spent within two hours: the balance lasts two hours for each time it holds that much.
    assert abs(found.hours - 2 * COIN // found.spent) <= found.hours // 1000 + 1
    daemon = Daemon(w.settings, w.store, w.payer, None)
    w.anvil.set_balance(w.payer, found.spent * 3)
    daemon.chains["local"].deciding.head = w.deciding.head
    daemon._gas_watch.look(daemon.chains["local"].deciding)
    [told] = w.alerts("low_balance")
    assert "3 hours at the recent rate" in told.title
    capsys.readouterr()
    status(w.config, as_json=True)
    [chain] = json.loads(capsys.readouterr().out)["chains"]
    assert (chain["native"], chain["gas_hours"]) == (str(found.spent * 3), 3)
    status(w.config, as_json=False)
    assert ", 3 h" in capsys.readouterr().out


@pytest.mark.parametrize("fresh_market", ["3.6"], indirect=True)
def test_without_spending_there_is_no_rate_and_old_spending_is_forgotten(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    anvil, deployed = fresh_market
    w = world(anvil, deployed, tmp_path)
    with w.store.session() as session:
        assert gas_money.forecast(session, "local", w.payer, COIN, now()) == gas_money.Forecast(COIN, 0, None)
        old = Transaction(
            chain="local",
            sender=w.payer,
            nonce=0,
            hash="0x1",
            purpose="act",
            raw="0x",
            state="final",
            gas_limit=1,
            max_fee=1,
            signed_block=1,
            gas_used=10**6,
            gas_price=10**9,
            created_at=now() - timedelta(hours=30),
        )
        session.add(old)
        session.flush()
        assert gas_money.forecast(session, "local", w.payer, COIN, now()).hours is None
    found = gas_money.Forecast(COIN // 100, 0, None)
    assert "only 0.0100 native coins" in gas_money.runs_low(found, w.settings.policy)
    rich = gas_money.Forecast(COIN, COIN // 100, 100)
    assert gas_money.runs_low(rich, w.settings.policy) == ""
    assert w.settings.policy.min_gas_hours == Decimal(24)
