"""A node that is too busy for one thing keeps nothing else from being done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import Session, col, select

from keeper.chain.answers import BusyError
from keeper.execution import as_signer, in_flight
from keeper.execution import loop as acting
from keeper.execution.batch_rehearsal import Planned
from keeper.execution.in_flight import InFlight
from keeper.execution.limits import Limits
from keeper.execution.loop import ExecutionLoop
from keeper.execution.rehearsal import Rehearsal
from keeper.execution.sender import Sender
from keeper.store.database import Store, open_store
from keeper.store.rows import insert_row
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import TransactionState
from keeper.store.tables.watching import Episode
from tests.support.scripted_node import healthy, scripted_pool
from tests.unit.chain.test_block_time import head
from tests.unit.execution.test_batching import plan

pytestmark = pytest.mark.unit

US = "0x" + "12" * 20
HEAD = head(100, 1000)
BUSY = BusyError("429 Too Many Requests", where="node")


class Quiet:
    """Tells nobody."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/keeper.db")


def planned(session: Session, number: int) -> Planned:
    made = plan(number)
    episode = Episode(
        market="m", account=made.account, threshold="liquidate",
        opened_block=1, opened_health=1, lowest_health=1,
    )  # fmt: skip
    session.add(episode)
    session.flush()
    assert episode.id is not None
    intent = Intent(
        chain="x", market="m", account=made.account, kind="liquidate", mode="live", episode_id=episode.id,
        attempt=1, state="planned", plan=made.to_json(), summary="{}", health=1, spend=0, gain=0,
        planned_block=100, planned_timestamp=1000,
    )  # fmt: skip
    session.add(intent)
    session.flush()
    session.refresh(intent)
    session.expunge(intent)
    return Planned(intent, made)


def transaction(session: Session, nonce: int, state: TransactionState) -> Transaction:
    row = Transaction(
        chain="x", sender=US, nonce=nonce, hash=f"0x{nonce:064x}", purpose="act", target=US, data="0x",
        raw="0x", state=state, gas_limit=100_000, max_fee=10, tip=1, signed_block=100, first_block=100,
    )  # fmt: skip
    insert_row(session, row)
    return row


def _carry(store: Store, monkeypatch: pytest.MonkeyPatch, alone: Any) -> tuple[ExecutionLoop, list[str]]:
    pool, _ = scripted_pool(healthy)
    actor = ExecutionLoop(pool, store, Limits(10**12), US, None, cast(Any, Quiet()))
    with store.session() as session:
        group = [planned(session, number) for number in (1, 2)]
    sent: list[str] = []

    def together(*_: object) -> None:
        raise BUSY

    def send(_: object, carried: tuple[Planned, ...], *__: object) -> list[object]:
        sent.extend(each.plan.account for each in carried)
        return []

    monkeypatch.setattr(acting, "rehearse_together", together)
    monkeypatch.setattr(acting, "rehearse", alone)
    monkeypatch.setattr(actor, "_send", send)
    actor._carry_all(cast(Any, None), group, HEAD, 1001, [], cast(Any, None))
    return actor, sent


def test_what_cannot_be_rehearsed_together_now_is_rehearsed_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sent = _carry(store, monkeypatch, lambda *_: Rehearsal((), ()))
    assert sent == [plan(1).account, plan(2).account]


def test_one_that_no_node_rehearses_now_holds_up_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehearse(_: object, __: object, asked: object, *___: object) -> Rehearsal:
        if asked == plan(1):
            raise BUSY
        return Rehearsal((), ())

    _, sent = _carry(store, monkeypatch, rehearse)
    assert sent == [plan(2).account]
    with store.session() as session:
        assert [row.unsent for row in session.exec(select(Intent).order_by(col(Intent.id)))] == [
            "no answer",
            "",
        ]


def _tend(store: Store, monkeypatch: pytest.MonkeyPatch, fails: set[int]) -> list[int]:
    pool, _ = scripted_pool(healthy)
    with store.session() as session:
        for nonce in (5, 6):
            transaction(session, nonce, TransactionState.SENT)
    sender = Sender(pool, store, Limits(10**12), US, *cast(Any, (None, None, Quiet())))
    tended: list[int] = []

    def tend(_: InFlight, each: Transaction) -> None:
        if each.nonce in fails:
            raise BUSY
        tended.append(each.nonce)

    monkeypatch.setattr(in_flight.InFlight, "_tend", tend)
    InFlight(sender, HEAD, 1001).all(5)
    return tended


def test_one_that_cannot_be_tended_now_leaves_the_others_to_be_tended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _tend(store, monkeypatch, {5}) == [6]


def test_where_none_can_be_tended_no_node_is_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BusyError):
        _tend(store, monkeypatch, {5, 6})


def test_what_another_act_has_warmed_is_paid_for_where_it_comes_alone() -> None:
    approval = as_signer._APPROVE + bytes(64)
    act = bytes(4)
    alone = as_signer._own_gas(400_000, act, [])
    assert as_signer._own_gas(400_000, act, [approval]) - alone == as_signer.COLD_GAS
    assert as_signer._own_gas(400_000, act, [act]) - alone == as_signer.COLD_GAS_BEHIND_OTHERS
