"""Of very many accounts that could be liquidated the largest are planned for at once, the others in turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keeper.model.money import Rate
from keeper.service.planning.retry_policy import IN_TURN, LARGEST_PLANNED, bounded

pytestmark = pytest.mark.unit

RUN = SimpleNamespace(rate=Rate())


def _wanted(size: int, kind: str = "liquidate") -> Any:
    valuation = SimpleNamespace(maintenance=size + 1, net=-1)
    return SimpleNamespace(market=RUN, valuation=valuation, kind=kind)


def test_a_crash_of_some_hundreds_is_planned_whole() -> None:
    wanted = [_wanted(size) for size in range(LARGEST_PLANNED + IN_TURN)]
    assert bounded(wanted, 7) == wanted


def test_dust_hides_nobody_and_gets_its_turn() -> None:
    dust = [_wanted(1) for _ in range(2000)]
    large = [_wanted(10**6 + n) for n in range(200)]
    top_ups = [_wanted(0, "top_up") for _ in range(300)]
    wanted = [*dust, *large, *top_ups]
    seen: set[int] = set()
    for block in range(40):
        found = bounded(wanted, block)
        assert len(found) == 300 + LARGEST_PLANNED + IN_TURN
        assert {id(each) for each in (*large, *top_ups)} <= {id(each) for each in found}
        seen |= {id(each) for each in found}
    assert seen == {id(each) for each in wanted}, "within some blocks everybody"
