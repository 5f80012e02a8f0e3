"""Transactions whose state no node has hold up no others; a chain that is away is given up for a while."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from keeper.alerts import keeper_alerts
from keeper.chain.answers import BusyError, CannotError, NodeError, WrongStateError
from keeper.service.reporting import ledger
from keeper.service.reporting.ledger import Ledger
from keeper.store.tables.journal import Transaction
from tests.unit.execution.test_refused import bid

pytestmark = pytest.mark.unit

PRUNED = WrongStateError("has not the state asked for", where="node")
CANNOT = CannotError("grants no such size", where="node", about="size")
BUSY = BusyError("did not answer", where="node")


class NoStore:
    def session(self) -> NoStore:
        return self

    def __enter__(self) -> NoStore:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def posting(
    monkeypatch: pytest.MonkeyPatch, errors: dict[int, NodeError]
) -> tuple[Ledger, list[int], list[str]]:
    """Books of six transactions, those that were tried, and those that were told of."""
    waiting = []
    for number in range(1, 7):
        waiting.append(bid())
        waiting[-1].id, waiting[-1].hash = number, str(number)
    tried, told = list[int](), list[str]()

    def book(_: Ledger, transaction: Transaction, *__: object) -> bool:
        tried.append(transaction.id or 0)
        if error := errors.get(transaction.id or 0):
            raise error
        return True

    monkeypatch.setattr(ledger, "unbooked", lambda *_: waiting)
    monkeypatch.setattr(ledger, "_market_of", lambda *_: "m")
    monkeypatch.setattr(Ledger, "_book", book)
    monkeypatch.setattr(keeper_alerts, "not_posted", lambda *said: told.append(said[2]))
    run = cast(Any, SimpleNamespace(name="m", book=SimpleNamespace(head=object())))
    chain = SimpleNamespace(name="x", pool=None, store=NoStore(), markets=[run])
    return Ledger(cast(Any, chain)), tried, told


@pytest.mark.parametrize("gone", [PRUNED, CANNOT])
def test_transactions_whose_state_is_gone_hold_up_no_younger_ones(
    monkeypatch: pytest.MonkeyPatch, gone: NodeError
) -> None:
    books, _, told = posting(monkeypatch, dict.fromkeys((1, 2, 3, 4), gone))
    assert books.book() == 2
    assert books.book() == 2 and not told, "a backend that is behind has it soon"
    assert books.book() == 2
    assert told == ["1", "2", "3", "4"]
    assert books.book() == 2 and len(told) == 4, "each is said once"


def test_a_chain_that_is_away_is_given_up_until_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    books, tried, told = posting(monkeypatch, {1: PRUNED} | dict.fromkeys(range(2, 7), BUSY))
    with pytest.raises(BusyError):
        books.book()
    assert tried == [1, 2, 3, 4] and not told
