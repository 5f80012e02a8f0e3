"""Gaps of nonces are those that nothing of ours used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keeper.execution import nonces
from keeper.store.database import open_store
from keeper.store.tables.states import TransactionState
from tests.support.scripted_node import Say, Script, healthy, scripted_pool
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


def counting(number: int) -> Script:
    return lambda method, params: Say(hex(number)) if "Count" in method else healthy(method, params)


def refusing(method: str, params: list[Any]) -> Say:
    return Say(status=503)


def test_a_count_that_no_other_node_bears_out_moves_nothing(tmp_path: Path) -> None:
    """Neither where the other says less, nor where it refuses everything else, nor where it is silent."""
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        transaction(session, 6, TransactionState.FINAL)
    for other in (counting(7), refusing):
        pool, posters = scripted_pool(counting(47), other)
        pool.standings[1].failed(9)
        assert nonces.pending(pool, store, US) == 7
        assert len(posters[1].asked) >= 1, "however much trouble it was in"
    assert nonces.pending(scripted_pool(counting(9), counting(9))[0], store, US) == 9
    assert nonces.pending(scripted_pool(counting(9))[0], store, US) == 9


def test_a_key_never_used_here_begins_where_the_only_node_that_answers_says(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    assert nonces.pending(scripted_pool(counting(9), refusing)[0], store, US) == 9


def test_whoever_refuses_by_chance_is_asked_again_before_another_is_believed() -> None:
    turn = 0

    def by_chance(method: str, params: list[Any]) -> Say | Exception:
        nonlocal turn
        turn += "Count" in method
        return Say(status=429) if "Count" in method and turn == 1 else counting(3)(method, params)

    pool, _ = scripted_pool(counting(47), by_chance)
    assert pool.call_each("eth_getTransactionCount", US, "pending") == ["0x2f", "0x3"]
