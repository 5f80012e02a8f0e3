"""What open absorptions are to be bought with is kept for that, and nothing else is kept from anybody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keeper.model.plan import NATIVE, Spend, kept_of
from keeper.model.purse import Purse
from keeper.service.planning.planner import BlockPlanner
from keeper.store.database import open_store
from keeper.store.tables.states import IntentState
from tests.unit.chain.test_block_time import head
from tests.unit.execution.test_batching import USDC, plan
from tests.unit.service.test_tried import attempts

pytestmark = pytest.mark.unit


def test_open_absorptions_keep_what_they_are_to_be_bought_with(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    absorbs = replace(plan(1), leg=None, spend=Spend(USDC, "", 0), kept=70)
    attempts(store, [(absorbs, IntentState.REHEARSED, "", ""), (absorbs, IntentState.SETTLED, "", "")])
    rest: list[Any] = [None, head(1, 1), 2, "live", "0xf", None, None]
    pool = SimpleNamespace(name="c")
    planner = BlockPlanner(cast(Any, pool), [], store, *rest)
    funds = planner._funds({"m": Purse({USDC: 100}, {})}, 10**18)
    assert funds == {USDC: 100, kept_of(USDC): 70, NATIVE: funds[NATIVE]}
