"""What may not be signed is not signed; a pause is obeyed at once; one keeper acts, the other watches."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keeper.cli.pause import pause, resume
from keeper.cli.status import status
from keeper.execution.lease import KeyLease
from keeper.execution.limits import Limits, not_allowed
from keeper.execution.rehearsal import Rehearsal, rehearse
from keeper.oracles.pull.carrier import SELECTOR, carried
from keeper.service.daemon import Daemon
from keeper.service.execution import allowed
from keeper.store.database import open_store
from keeper.store.tables.journal import Lease as LeaseRow
from keeper.store.types import now
from tests.integration.execution.conftest import CRASH, OTHER, THIRD, Fresh, Ready
from tests.support.liquidations import liquidations
from tests.support.waiting import wait_for
from tests.support.world import account, world

pytestmark = pytest.mark.integration

POOL, TOKEN, STRANGER, SELF, CARRIER = map(account, range(11, 16))
APPROVE = "0x095ea7b3"


def words(*values: str | int) -> str:
    return "".join(f"{int(v, 16) if isinstance(v, str) else v:064x}" for v in values)


def carrying(target: str, data: str) -> str:
    """A carrier that is to call this."""
    return "0x" + carried([], target, bytes.fromhex(data[2:]), {}).hex()


@pytest.mark.parametrize(
    ("target", "data", "why"),
    [
        (POOL, "0x617ba037" + words(TOKEN), ""),
        (POOL, "0xdeadbeef", "0xdeadbeef of"),
        (STRANGER, "0x617ba037", "not on the allow-list"),
        (TOKEN, "0xa9059cbb" + words(STRANGER, 5), "not on the allow-list"),
        (TOKEN, APPROVE + words(POOL, 5), ""),
        (TOKEN, APPROVE + words(STRANGER, 5), "an allowance for"),
        (TOKEN, APPROVE + words(STRANGER, 0), ""),
        (CARRIER, carrying(POOL, "0x617ba037" + words(TOKEN)), ""),
        (CARRIER, carrying(POOL, "0xdeadbeef"), "0xdeadbeef of"),
        (CARRIER, carrying(STRANGER, "0x617ba037"), "not on the allow-list"),
        (CARRIER, carrying(CARRIER, carrying(STRANGER, "0x617ba037")), "not on the allow-list"),
        (CARRIER, carrying(POOL, "0x617ba037")[:300], "cannot be read"),
        (POOL, carrying(POOL, "0x617ba037"), "of 0x"),
        (SELF, "0x", ""),
        (STRANGER, "0x", "not on the allow-list"),
    ],
)
def test_only_what_is_allowed_may_be_signed(target: str, data: str, why: str) -> None:
    limits = Limits(1, allow={POOL: frozenset({"0x617ba037"}), CARRIER: frozenset({SELECTOR})})
    found = not_allowed(limits, SELF, target, data)
    assert (why in found) if why else found == ""


def test_a_target_that_is_not_on_the_list_is_refused_at_signing(fresh: Fresh, ready: Ready) -> None:
    w = ready(f'[execution]\nallow = [{{ target = "{STRANGER}" }}]\n')
    w.step(CRASH)
    assert w.intents()[0].state == "refused" and "allow-list" in w.intents()[0].reason
    assert w.transactions() == []


def test_without_a_list_the_configured_markets_are_what_may_be_called(fresh: Fresh, ready: Ready) -> None:
    w = ready()
    assert set(allowed(w.settings, "local")) == {fresh[1].pool.lower()}
    w.step(CRASH)
    w.step()
    assert w.intents()[0].state == "settled"


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("max_spend_per_transaction = 100", "max_spend_per_transaction (100)"),
        ("max_spend_per_day = 100", "max_spend_per_day (100)"),
        ('max_gas_per_day = "0.00001"', "max_gas_per_day"),
    ],
)
def test_a_ceiling_refuses_at_signing_and_says_which(
    fresh: Fresh, ready: Ready, limit: str, why: str
) -> None:
    w = ready(f"[execution]\n{limit}\n")
    w.step(CRASH)
    w.step()
    assert w.transactions() == []
    [intent] = w.intents()
    assert intent.state == "refused" and why in intent.reason


def test_the_days_spending_is_counted_over_all_accounts(fresh: Fresh, ready: Ready) -> None:
    w = ready("[execution]\nmax_spend_per_day = 12000\n", accounts=(OTHER, THIRD))
    for _ in range(4):
        w.step(CRASH)
    spent = sum(i.spend for i in w.intents() if i.state == "settled")
    assert 0 < spent <= 12_000 * 10**18
    refused = [i for i in w.intents() if i.state == "refused"]
    assert refused and all("max_spend_per_day (12000)" in i.reason for i in refused)


def test_no_more_than_max_in_flight(fresh: Fresh, ready: Ready) -> None:
    w = ready("[execution]\nmax_in_flight = 1\n", accounts=(OTHER, THIRD, account(4)))
    w.step(CRASH)
    assert len({i.account for i in w.intents() if i.state == "rehearsed"}) == 1
    for _ in range(3):
        w.step()
    assert len({i.account for i in w.intents() if i.state == "settled"}) == 3


@pytest.mark.parametrize("how", ["command", "file"])
def test_a_pause_stops_sending_within_the_block_and_watching_goes_on(
    fresh: Fresh, ready: Ready, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    w = ready('[service]\npause_file = "STOP"\n')
    if how == "command":
        pause(w.config, "a strange price", as_json=False)
    else:
        (tmp_path / "STOP").touch()
    w.step(CRASH)
    w.step()
    assert w.transactions() == [] and w.intents() != []
    capsys.readouterr()
    status(w.config, as_json=True)
    said = json.loads(capsys.readouterr().out)["paused"]
    assert ("a strange price" in said) if how == "command" else "STOP" in said
    if how == "command":
        resume(w.config, as_json=False)
    else:
        (tmp_path / "STOP").unlink()
    for _ in range(8):
        w.step()
    assert liquidations(*fresh)[OTHER] >= 1


def test_a_pause_that_comes_between_rehearsal_and_signature_is_obeyed(
    fresh: Fresh, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = ready()

    def then_pause(*arguments: Any) -> Rehearsal:
        found = rehearse(*arguments)
        pause(w.config, "", as_json=True)
        return found

    monkeypatch.setattr("keeper.execution.loop.rehearse", then_pause)
    w.step(CRASH)
    assert w.transactions() == []
    assert w.intents()[0].reason.startswith("paused by")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    return str(request.getfixturevalue("postgresql"))


def test_one_of_two_keepers_stands_back_and_takes_over_when_the_other_goes_silent(url: str) -> None:
    store = open_store(url)
    first = KeyLease(store, "c:key", holder="machine-a process 1 x")
    second = KeyLease(open_store(url), "c:key", holder="machine-b process 1 x")
    assert first.take() == ""
    assert "another keeper acts with this key (machine-a" in second.take()
    assert first.take() == "", "renewed"
    # Silent for longer than the lease: its connection is gone too, which a server notices in its own time.
    _goes_silent(first)
    wait_for(lambda: second.take() == "")
    assert first.take() != "", "and the first, come back, stands back"
    second.release()
    assert first.take() == ""
    third = KeyLease(open_store(url), "c:key", holder="machine-c process 1 x")
    _goes_silent(first)
    wait_for(lambda: third.take() == "")
    assert "machine-c" in second.take(), "what the second gave back it does not hold in secret"


def _goes_silent(lease: KeyLease) -> None:
    with lease.store.session() as session:
        row = session.get_one(LeaseRow, lease.name)
        row.expires_at = now() - timedelta(seconds=1)
        session.add(row)
    if lease._lock is not None:
        lease._lock.close()
        lease._lock = None
        lease.store.close()


def test_two_keepers_with_the_same_key_and_store_act_once(fresh: Fresh, ready: Ready, tmp_path: Path) -> None:
    w = ready()
    other = world(*fresh, tmp_path)
    assert other.actor.sender is not None
    other.actor.sender.lease.holder = "machine-b process 1 x"
    other.work()
    for prices in (CRASH, None, None, None, None, None, None, None):
        w.step(prices)
        other.work()
    assert other.actor.standby_reason.startswith("another keeper acts with this key")
    assert liquidations(*fresh)[OTHER] == len([i for i in w.intents() if i.state == "settled"])
    nonces = [t.nonce for t in w.transactions() if t.state == "final"]
    assert len(nonces) == len(set(nonces))


def test_a_keeper_on_standby_says_so_in_status_and_alerts_once(
    fresh: Fresh, ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    w = ready()
    assert w.actor.sender is not None
    w.actor.sender.lease.holder = "machine-b process 1 x"
    assert w.actor.sender.lease.take() == ""
    daemon = Daemon(w.settings, w.store, w.payer, w.actor.sender.signer)
    for _ in range(2):
        daemon._decide("local")
        w.anvil.mine()
    with w.store.session() as session:
        row = session.get_one(LeaseRow, f"local:{w.payer}")
    assert "machine-b" in row.holder
    assert len(w.alerts("standby")) == 1
    capsys.readouterr()
    status(w.config, as_json=True)
    assert "machine-b" in json.loads(capsys.readouterr().out)["chains"][0]["standby_reason"]
