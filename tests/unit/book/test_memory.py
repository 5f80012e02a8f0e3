"""Memory does not grow with blocks: a million accounts over ten thousand blocks in `make soak`."""

from __future__ import annotations

import os

import pytest

from scripts.bench import book_memory

pytestmark = pytest.mark.unit

SOAK = bool(os.environ.get("KEEPER_SOAK"))
ACCOUNTS = 1_000_000 if SOAK else 50_000


@pytest.mark.timeout(3_600)
def test_memory_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_memory, "BLOCKS", 10_000 if SOAK else 200)
    whole, growth = book_memory.measure(accounts=ACCOUNTS)
    assert whole["ok"], whole
    assert growth["ok"], growth
