"""Gas that only estimates count is granted and paid for, in proportion to the bytes of a transaction."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.chain.pool import NodePool
from keeper.execution import unseen_gas
from keeper.execution.batch_rehearsal import Planned, rehearse_together
from keeper.execution.rehearsal import rehearse, with_margin
from keeper.model.plan import Plan
from tests.support.scripted_node import Say, healthy, scripted_pool
from tests.unit.execution.test_batching import alone, log, plan

pytestmark = pytest.mark.unit

US = "0x" + "12" * 20
TRUE = "0x" + "00" * 31 + "01"


def chain(transfer: int | None, simulated: int = 21_000, used: int = 100_000) -> tuple[NodePool, list[str]]:
    """A node that estimates a transfer of nothing at `transfer` and simulates it at `simulated`."""
    asked: list[str] = []

    def script(method: str, params: list[Any]) -> Say:
        asked.append(method)
        if method == "eth_estimateGas":
            return Say(error={"code": 3, "message": "reverted"}) if transfer is None else Say(hex(transfer))
        if method != "eth_simulateV1":
            return healthy(method, params)
        calls = params[0]["blockStateCalls"][0]["calls"]
        gas = [simulated if call["data"] == "0x" else used for call in calls]
        logs = [log(plan(1)), log(plan(2))]
        return Say(
            [{"calls": [{"status": "0x1", "gasUsed": hex(g), "returnData": TRUE, "logs": logs} for g in gas]}]
        )

    return scripted_pool(script)[0], asked


def limits(pool: NodePool) -> tuple[int, ...]:
    return rehearse(pool, US, alone(), [], 1000).gas


def test_what_only_the_estimate_counts_is_added_by_bytes() -> None:
    approval = with_margin(100_000 + 60_000 * (110 + 68) // 110 + 1)
    act = with_margin(100_000 + 60_000 * (110 + 1) // 110 + 1)
    assert limits(chain(81_000)[0]) == (approval, act)
    assert rehearse(chain(81_000)[0], US, alone(), [], 1000).used[1] == 100_000 + 60_000 * 111 // 110 + 1


@pytest.mark.parametrize(
    ("transfer", "simulated"), [(21_000, 21_000), (21_500, 21_000), (81_000, 81_000), (None, 21_000)]
)
def test_where_simulations_show_all_nothing_is_added(transfer: int | None, simulated: int) -> None:
    assert limits(chain(transfer, simulated)[0]) == (with_margin(100_000),) * 2


def test_it_is_asked_once_in_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, asked = chain(81_000)
    limits(pool)
    limits(pool)
    assert asked.count("eth_estimateGas") == 1
    monkeypatch.setattr(unseen_gas, "ASK_AGAIN_SECONDS", 0.0)
    limits(pool)
    assert asked.count("eth_estimateGas") == 2


def batch_limit(pool: NodePool, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("keeper.execution.batches.bears", lambda _: True)
    found = rehearse_together(pool, US, [Planned(None, each) for each in _two()], [], 1000)  # type: ignore[arg-type]
    return sum(found.rehearsal.gas)


def _two() -> list[Plan]:
    return [plan(1), plan(2)]


def test_a_batch_is_granted_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = batch_limit(chain(21_000)[0], monkeypatch)
    assert batch_limit(chain(81_000)[0], monkeypatch) > bare + 60_000


def test_where_gas_is_of_another_kind_a_batch_has_no_ceiling_of_ethereums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert batch_limit(chain(420_000_000, 420_000_000, 10**10)[0], monkeypatch) > 10**10
    assert batch_limit(chain(21_000, 21_000, 10**10)[0], monkeypatch) == 0
