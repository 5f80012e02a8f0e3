"""The least tip is read out of a refusal, whatever its words and figures."""

from __future__ import annotations

import random
import time

import pytest

from keeper.chain.refusals import TipFloor, figures, least_asked

pytestmark = pytest.mark.unit

GWEI = 10**9
CEILING = 500 * GWEI
OURS = (40 * GWEI, 1, 300_000, 7, 0)


@pytest.mark.parametrize(
    "said",
    [
        "transaction underpriced: gas tip cap 1, minimum needed 25000000000",
        "max priority fee per gas too low, want 25 gwei",
        "FeeTooLow, EffectivePriorityFeePerGas too low 1 < 25000000000, BaseFee: 15",
        "tip 0x1 is below 0x5d21dba00",
        "need 25_000_000_000 wei",
        "at least 25,000,000,000 wei is asked for",
        "minimum 2.5e10",
        "error -32000: minimum tip 25.0 Gwei (code -32000, block 12)",
        "HTTP 400: 25000000000 is the least here",
    ],
)
def test_the_least_tip_is_read_from_words_of_any_node(said: str) -> None:
    assert least_asked(said, 1 + 15, CEILING, OURS) == 25 * GWEI


@pytest.mark.parametrize(
    "said",
    [
        "already known",
        "replacement transaction underpriced",
        "gas fee cap 40000000000, gas limit 300000, nonce 7",
        "0x" + "ab" * 32,
        "minimum needed 900000000000",
        "",
    ],
)
def test_no_figure_of_ours_none_above_the_ceiling_and_no_hash_is_a_tip(said: str) -> None:
    assert least_asked(said, GWEI, CEILING, OURS) is None


def test_any_figure_in_any_words_is_found() -> None:
    dice = random.Random(12)
    words = ["fee", "too", "low", "sorry", "wants", "least", "tip", "du", "minimum", "cap", "below", ":", "("]
    for _ in range(500):
        asked = dice.randrange(2 * GWEI, CEILING)
        shown = dice.choice([str(asked), hex(asked), f"{asked} wei", f"{asked:,}", f"{asked:_}"])
        said = [dice.choice(words) for _ in range(dice.randrange(1, 6))]
        said.insert(dice.randrange(len(said) + 1), shown)
        assert least_asked(" ".join(said), GWEI, CEILING, OURS) == asked, said


def test_figures_of_no_sense_are_passed_over() -> None:
    assert list(figures("eip1559 v1.2.3 x25 0xzz")) == []


@pytest.mark.parametrize(
    "figure",
    ["4e77123456", "4e123456 gwei", "9" * 200, "1." + "3" * 200, "0x" + "f" * 300, "7e99.5e9"],
)
def test_a_figure_beyond_all_measure_is_none_and_costs_no_time(figure: str) -> None:
    began = time.monotonic()
    assert least_asked(f"tip below {figure}, minimum needed 25 gwei", 1, CEILING, OURS) == 25 * GWEI
    assert time.monotonic() - began < 0.5


def test_a_floor_only_rises_and_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("keeper.chain.refusals.time.monotonic", lambda: clock[0])
    floor = TipFloor()
    assert floor.wei == 0
    floor.learn(5)
    floor.learn(3)
    assert floor.wei == 5
    clock[0] = 601.0
    assert floor.wei == 0
