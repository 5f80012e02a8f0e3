"""Work that strangers make and do themselves first lets us pay gas only so often a day."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.service.planning.retry_policy import MARKETS_WORTH, RetryPolicy
from tests.unit.chain.test_block_time import head

pytestmark = pytest.mark.unit

MOST = 5


def wanted(account: str, market: str = "m", *, protected: bool = False, kind: str = "settle") -> Any:
    return SimpleNamespace(
        market=SimpleNamespace(name=market),
        valuation=SimpleNamespace(account=account),
        levels=SimpleNamespace(protection=protected or None),
        kind=kind,
        upkeep=kind == "settle",
    )


@pytest.mark.parametrize(
    ("failures", "stopped"),
    [
        ({("m", f"{n}"): 1 for n in range(MOST * MARKETS_WORTH - 1)}, set()),
        ({("m", f"{n}"): 1 for n in range(MOST * MARKETS_WORTH)}, {"a", "b"}),
        ({("n", f"{n}"): 1 for n in range(MOST * MARKETS_WORTH)}, set()),
        ({("m", "a"): MOST}, {"a"}),
    ],
)
def test_after_so_many_failures_strangers_work_is_left_and_ours_goes_on(
    monkeypatch: pytest.MonkeyPatch, failures: dict[tuple[str, str], int], stopped: set[str]
) -> None:
    monkeypatch.setattr(
        "keeper.service.planning.retry_policy.journal.failed_since",
        lambda session, chain, kind, mode, since: Counter(failures if kind == "settle" else {}),
    )
    chain: Any = SimpleNamespace(
        name="c", mode="live", settings=SimpleNamespace(policy=SimpleNamespace(max_attempts=MOST))
    )
    asked = [wanted("a"), wanted("b"), wanted("ours", protected=True), wanted("broken", kind="liquidate")]
    session: Any = None
    over = RetryPolicy(chain).over_limit(session, asked, head(1, 1_000_000))
    assert {each.valuation.account for each in over} == stopped
