"""The documented tables are the code's moves, and the code knows no others."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from pathlib import Path

import pytest

from keeper.execution.lifecycle import (
    INTENT_MOVES,
    LIVE,
    TRANSACTION_MOVES,
    LifecycleError,
    check_intent,
    check_transaction,
)
from keeper.store.tables.journal import Transaction
from keeper.store.tables.states import IntentState, TransactionState

pytestmark = pytest.mark.unit

DOCUMENT = Path(__file__).parents[3] / "docs" / "LIFECYCLE.md"


def documented(section: str) -> dict[str, set[str]]:
    """From each state of a section's table to where it leads."""
    text = DOCUMENT.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("|")][2:]
    return {row[0].strip(): {w.strip() for w in row[1].split(",") if w.strip() != "–"} for row in rows}


def test_the_documented_moves_are_those_of_the_code() -> None:
    assert documented("Intent") == {str(k): {str(s) for s in v} for k, v in INTENT_MOVES.items()}
    assert documented("Transaction") == {str(k): {str(s) for s in v} for k, v in TRANSACTION_MOVES.items()}
    assert set(INTENT_MOVES) == set(IntentState)
    assert set(TRANSACTION_MOVES) == set(TransactionState)


@pytest.mark.parametrize(("before", "after"), product(IntentState, IntentState))
def test_an_intent_moves_only_as_documented(before: IntentState, after: IntentState) -> None:
    _moves(documented("Intent"), check_intent, before, after)


@pytest.mark.parametrize(("before", "after"), product(TransactionState, TransactionState))
def test_a_transaction_moves_only_as_documented(before: TransactionState, after: TransactionState) -> None:
    _moves(documented("Transaction"), check_transaction, before, after)


def _moves(table: dict[str, set[str]], check: object, before: StrEnum, after: StrEnum) -> None:
    assert callable(check)
    if after in table[before]:
        check(before, after)
        return
    with pytest.raises(LifecycleError, match=f"from {before} to {after}"):
        check(before, after)


def test_the_stores_index_holds_the_nonce_of_exactly_the_live_states() -> None:
    indexes = Transaction.__table__.indexes  # type: ignore[attr-defined]
    [index] = [each for each in indexes if each.name == "one_live_transaction_per_nonce"]
    where = str(index.dialect_options["sqlite"]["where"])
    assert {state for state in TransactionState if f"'{state}'" in where} == LIVE
