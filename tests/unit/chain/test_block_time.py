"""A block time is a median: one missed slot, one lull or whole-second timestamps do not move it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from keeper.chain import pool as pool_module
from keeper.chain.block_time import BlockTime
from keeper.chain.blocks import Head, parse
from tests.support.scripted_node import Say, scripted_pool

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))


def block(number: int, timestamp: int, fork: str = "aa") -> dict[str, Any]:
    def digest(of: int) -> str:
        return "0x" + fork + f"{of:062x}"

    return {
        "number": hex(number),
        "hash": digest(number),
        "parentHash": digest(number - 1),
        "timestamp": hex(timestamp),
        "gasLimit": "0x1c9c380",
        "baseFeePerGas": "0x1",
    }


def head(number: int, timestamp: int, fork: str = "aa") -> Head:
    return parse(block(number, timestamp, fork))


def _learn(times: list[int], first: int = 1000, older: int | None = None) -> BlockTime:
    """After heads at these times; the block asked for at the start is `older` (None: nobody has it)."""

    def script(method: str, params: list[Any]) -> Say:
        if method != "eth_getBlockByNumber" or older is None:
            return Say(None)
        return Say(block(int(params[0], 16), older))

    pool, _ = scripted_pool(script)
    learnt = BlockTime(None)
    for place, timestamp in enumerate(times):
        learnt.learn(pool, head(first + place, timestamp))
    return learnt


def test_one_missed_slot_moves_nothing() -> None:
    times = [12 * n + (12 if n >= 20 else 0) for n in range(40)]
    assert _learn(times).seconds == 12
    for upto in range(2, 40):
        found = _learn(times[:upto], older=-12 * 32 if upto == 2 else None).seconds
        assert found is not None and 11 <= found <= 14


def test_quarter_seconds_show_in_whole_ones() -> None:
    """Four blocks have one timestamp; a lull of half a minute among them changes nothing."""
    times = [n // 4 + (30 if n >= 30 else 0) for n in range(64)]
    found = _learn(times).seconds
    assert found is not None and Decimal("0.12") <= found <= Decimal("0.4")


def test_the_first_head_asks_for_an_older_one() -> None:
    assert _learn([1000], older=1000 - 32 * 2).seconds == 2
    assert _learn([1000], older=None).seconds is None


def test_heads_may_go_back_in_a_reorganisation() -> None:
    pool, _ = scripted_pool(lambda m, p: Say(None))
    learnt = BlockTime(None)
    for number in [*range(1, 30), *range(25, 60)]:
        learnt.learn(pool, head(number, number * 2))
    assert learnt.seconds == 2


def test_until_something_is_learnt_a_known_chains_published_block_time_counts() -> None:
    pool, _ = scripted_pool(lambda m, p: Say(None))
    learnt = BlockTime(None, Decimal("0.25"))
    assert learnt.seconds == Decimal("0.25")
    learnt.learn(pool, head(5, 5))
    assert learnt.seconds == Decimal("0.25"), "one block tells nothing"
    learnt.learn(pool, head(13, 21))
    assert learnt.seconds == 2
    assert BlockTime(Decimal(3), Decimal(12)).seconds == 3


def test_what_is_configured_is_not_learnt() -> None:
    pool, [poster] = scripted_pool(lambda m, p: Say(None))
    learnt = BlockTime(Decimal(3))
    learnt.learn(pool, head(5, 5))
    assert learnt.seconds == 3 and not poster.asked
