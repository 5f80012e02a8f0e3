"""Of breaches in parts that anybody can make, a few are asked about; protected accounts always are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keeper.protocols.morpho_blue.market import MorphoBlueMarket
from keeper.service.watching import breaches

pytestmark = pytest.mark.unit

TRUSTED, STRANGE = "11" * 32, "22" * 32


def _asking(number: int, part: str, protection: object = None) -> Any:
    account = f"0x{number:040x}{part}"
    return SimpleNamespace(account=account), SimpleNamespace(protection=protection), number


def test_of_strangers_parts_a_few_are_asked_about_and_nobody_elses_are_left_out() -> None:
    adapter = SimpleNamespace(part=MorphoBlueMarket.part)
    run: Any = SimpleNamespace(is_trusted_part=lambda part: part == "0x" + TRUSTED, adapter=adapter)
    asking = []
    for number in range(2000):
        asking.append(_asking(number, STRANGE))
        if number % 100 == 0:
            asking += [
                _asking(10_000 + number, TRUSTED),
                _asking(20_000 + number, STRANGE, object()),
                _asking(30_000 + number, ""),
            ]
    left = [number for *_, number in breaches._bounded(run, asking)]
    assert [n for n in left if n < 10_000] == list(range(breaches.STRANGERS_ASKED))
    assert len([n for n in left if n >= 10_000]) == 60
