"""Gaps of nonces are those that nothing of ours used."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.execution import nonces
from keeper.store.database import open_store
from keeper.store.tables import TransactionState
from tests.unit.execution.test_busy_nodes import US, transaction

pytestmark = pytest.mark.unit


def test_a_nonce_that_a_final_transaction_used_is_no_gap_whatever_a_stuck_node_counts(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        for nonce, state in enumerate(
            (
                TransactionState.FINAL,
                TransactionState.FINAL,
                TransactionState.INCLUDED,
                TransactionState.REPLACED,
                TransactionState.SENT,
            )
        ):
            transaction(session, nonce, state)
    with store.session() as session:
        assert nonces.gaps(session, "x", US, counted=0, pending=0) == [3]
