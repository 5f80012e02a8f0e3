"""Transfers of nothing take the gas that a node estimates, and enough where none does."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.execution.in_flight import PLENTY, gas_for
from keeper.execution.rehearsal import with_margin
from tests.support.scripted_node import Say, healthy, scripted_pool

pytestmark = pytest.mark.unit

US = "0x" + "12" * 20


@pytest.mark.parametrize("gas", [21_000, 1_300_000, 2**33])
def test_a_transfer_takes_what_is_estimated(gas: int) -> None:
    asked: list[Any] = []

    def script(method: str, params: list[Any]) -> Say | Exception:
        if method != "eth_estimateGas":
            return healthy(method, params)
        asked.append(params[0])
        return Say(hex(gas))

    pool, _ = scripted_pool(script)
    assert gas_for(pool, US) == with_margin(gas)
    assert asked[0]["from"] == asked[0]["to"] == US


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": 3, "message": "execution reverted", "data": "0x"},
        {"code": -32601, "message": "no such method"},
        {"code": -32000, "message": "insufficient funds"},
    ],
)
def test_where_none_can_be_estimated_there_is_enough(
    refusal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keeper.chain.pool.PAUSES", ())

    def script(method: str, params: list[Any]) -> Say | Exception:
        return Say(error=refusal) if method == "eth_estimateGas" else healthy(method, params)

    pool, _ = scripted_pool(script)
    assert gas_for(pool, US) == PLENTY
    assert gas_for(pool, US, at_least=3 * PLENTY) == 3 * PLENTY
