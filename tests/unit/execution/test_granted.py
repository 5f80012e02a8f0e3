"""What a token answers of an allowance is taken for what it is, nothing too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keeper.execution.rehearsal import _granted
from tests.support.scripted_node import Say, healthy, scripted_pool
from tests.unit.execution.test_batching import alone

pytestmark = pytest.mark.unit

US = "0x" + "12" * 20


@pytest.mark.parametrize(
    ("answer", "granted"), [("0x", False), ("0x" + "00" * 32, False), ("0x" + "00" * 31 + "05", True)]
)
def test_a_token_that_answers_nothing_has_granted_nothing(answer: str, granted: bool) -> None:
    def script(method: str, params: list[Any]) -> Say:
        return Say(answer) if method == "eth_call" else healthy(method, params)

    made = alone()
    pool, _ = scripted_pool(script)
    assert _granted(pool, US, replace(made, spend=replace(made.spend, amount=5))) is granted
