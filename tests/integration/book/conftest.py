"""What all tests of the book share: a busy node is asked again as often, and sooner."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keeper.chain.pool.PAUSES", (0.01, 0.02, 0.02, 0.02))
