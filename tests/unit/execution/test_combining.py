"""A batch that was measured to want more gas than a transaction may have is not sent with less."""

from __future__ import annotations

from typing import Any, cast

import pytest

from keeper.execution import batch_gas, batch_rehearsal, batches
from keeper.execution.batch_rehearsal import BatchRehearsal, Planned, rehearse_together
from tests.support.scripted_node import healthy, scripted_pool
from tests.unit.execution.test_batching import log, plan

pytestmark = pytest.mark.unit

US = "0x" + "12" * 20


def together(used: int, monkeypatch: pytest.MonkeyPatch) -> BatchRehearsal:
    plans = [plan(1), plan(2)]
    result = {"status": "0x1", "gasUsed": hex(used), "logs": [log(each) for each in plans]}
    monkeypatch.setattr(batch_rehearsal, "simulate", lambda *_: [result])
    monkeypatch.setattr(batches, "bears", lambda _: True)
    pool, _ = scripted_pool(healthy)
    return rehearse_together(pool, US, [Planned(cast(Any, None), each) for each in plans], [], 1000)


def test_what_was_measured_is_granted_whole_or_the_batch_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = (batch_gas.MOST_TRANSACTION_GAS - batch_gas.SLACK_GAS) * 100 // batch_gas.LIMIT_PERCENT
    found = together(most, monkeypatch)
    assert found.rehearsal.gas == (batch_gas.limit(most),) and len(found.carried) == 2
    found = together(most + 2, monkeypatch)
    assert found.fallback_reason == "too large together" and not found.carried
