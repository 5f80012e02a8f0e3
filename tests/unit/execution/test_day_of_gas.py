"""A successor takes the place of what it replaces in the day's gas, and a limit that forbids it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import Session

from keeper.execution import in_flight, limits
from keeper.execution.in_flight import InFlight
from keeper.execution.limits import Limits
from keeper.execution.sender import Sender
from keeper.execution.signatures import NotSignedError
from keeper.store.database import open_store
from keeper.store.rows import insert_values
from keeper.store.tables.journal import Intent, Transaction, TransactionIntent
from keeper.store.tables.states import TransactionState
from tests.support.scripted_node import healthy, scripted_pool
from tests.unit.execution.test_busy_nodes import HEAD, US, planned, transaction

pytestmark = pytest.mark.unit


def test_what_is_replaced_does_not_count_beside_its_successor(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        old = transaction(session, 5, TransactionState.SENT)
        most = Limits(10**12, max_gas_per_day=1_200_000)
        assert old.gas_limit * old.max_fee == 1_000_000
        assert limits.gas_overspent(session, most, "x", US, 1_200_000)
        assert not limits.gas_overspent(session, most, "x", US, 1_200_000, instead_of=old.id)
        assert limits.gas_overspent(session, most, "x", US, 1_200_001, instead_of=old.id)


def test_a_limit_that_forbids_a_successor_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int | None, str, str]] = []

    class Telling:
        def not_sent(self, _: Session, intent: Intent, cause: str, why: str) -> None:
            told.append((intent.id, cause, why))

    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        number = planned(session, 1).intent.id
        row = transaction(session, 5, TransactionState.SENT)
        insert_values(session, TransactionIntent, intent_id=number, transaction_id=row.id, step=0)

    def tend(_: InFlight, __: Transaction) -> None:
        raise NotSignedError("gas exceeds max_gas_per_day")

    monkeypatch.setattr(in_flight.InFlight, "_tend", tend)
    pool, _ = scripted_pool(healthy)
    InFlight(Sender(pool, store, Limits(10**12), US, *cast(Any, (None, None, Telling()))), HEAD, 1001).all(5)
    assert told == [(number, "limit", "gas exceeds max_gas_per_day")]
