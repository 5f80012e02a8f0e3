"""Behind a pending update too, the largest debts are looked at first, compared in money."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from keeper.book.rows import Rows
from keeper.book.screening.bounds import HealthBounds
from keeper.service.backrun import pending_updates
from keeper.service.backrun.pending_updates import MOST_ACCOUNTS, PendingUpdates

pytestmark = pytest.mark.unit


def test_dust_of_a_token_of_18_decimals_hides_no_debt_in_dollars(monkeypatch: pytest.MonkeyPatch) -> None:
    dust = [f"0x{number:040x}" for number in range(MOST_ACCOUNTS + 5)]
    owes, rows = "0x" + "d0" * 20, Rows()
    everyone = [*dust, owes]
    for account in everyone:
        rows.put(account, b"1")
    health, needs = np.full(len(everyone), 0.5), np.array([*(10.0**12 for _ in dust), 10.0**12 - 1])
    near = HealthBounds(np.arange(len(everyone)), health, health, needs)
    screen = SimpleNamespace(run=lambda _: None, below=lambda _: near)
    monkeypatch.setattr(pending_updates, "liquidatable", lambda *_: np.zeros(0, np.int64))
    columns = SimpleNamespace(factors=set(), unbounded=set(), rows_with=lambda _: set())
    adapter = SimpleNamespace(
        screener=SimpleNamespace(weights=lambda *_: SimpleNamespace(unbounded=())),
        explainer=SimpleNamespace(unit_worth=lambda _, account: 1e2 if account == owes else 1e-10),
    )
    run = SimpleNamespace(
        name="m", adapter=adapter, book=SimpleNamespace(rows=rows, columns=columns, state=None)
    )
    looks = PendingUpdates(cast(Any, None))
    looks._screens["m"] = cast(Any, screen)
    found = looks._near(cast(Any, run), 0)
    assert found[0] == owes and len(found) == MOST_ACCOUNTS
