"""Whatever strangers send for nothing, a real update is looked at."""

from __future__ import annotations

import random

import pytest

from keeper.chain.backrun import PendingUpdate
from keeper.service.backrun.update_ranks import EACH_SENDER, WAITING, Rank, Transmitters, WaitingUpdates

pytestmark = pytest.mark.unit


def _update(number: int, sender: str, nonce: int = 0) -> PendingUpdate:
    return PendingUpdate(sender, "0x" + "aa" * 20, "0x", f"0x{number:064x}", nonce=nonce)


@pytest.mark.parametrize("rank", [Rank.TRANSMITTER, Rank.DIRECT])
@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_free_ones_of_lower_ranks_hide_no_real_one(rank: Rank, seed: int) -> None:
    dice, waiting = random.Random(seed), WaitingUpdates()
    real, place = _update(0, "0xreal"), dice.randrange(1_000)
    lower = [each for each in Rank if each > rank]
    for number in range(1, 1_001):
        if number == place:
            waiting.put(real, rank)
        waiting.put(_update(number, f"0x{number}"), dice.choice(lower))
    if place == 0:
        waiting.put(real, rank)
    assert waiting.take() == real


def test_a_sender_has_a_few_places_and_a_line_an_end() -> None:
    waiting = WaitingUpdates()
    taken = [waiting.put(_update(number, "0xone"), Rank.DIRECT) for number in range(100)]
    assert sum(taken) == EACH_SENDER
    for number in range(200, 300):
        waiting.put(_update(number, f"0x{number}"), Rank.DIRECT)
    left = [waiting.take() for _ in range(101)]
    assert sum(each is not None for each in left) == WAITING
    assert left[:WAITING] == [_update(n, "0xone") for n in range(4)] + [
        _update(n, f"0x{n}") for n in range(200, 228)
    ]


def test_within_a_line_come_first_those_who_have_sent_most() -> None:
    """A stranger's address is new; who writes an oracle has paid for thousands of transactions."""
    waiting = WaitingUpdates()
    for number in range(1, 1_001):
        waiting.put(_update(number, f"0x{number}", nonce=number % 3), Rank.DIRECT)
        if number == 700:
            waiting.put(_update(0, "0xreal", nonce=4_000), Rank.DIRECT)
    assert waiting.take() == _update(0, "0xreal", nonce=4_000)


def test_transmitters_are_known_however_they_are_written_and_never_without_end() -> None:
    known = Transmitters()
    known.add("0xAbC")
    assert "0xabc" in known and "0xABC" in known and "0xabd" not in known
    for number in range(5_000):
        known.add(f"0x{number:040x}")
    assert "0xabc" not in known and f"0x{4_999:040x}" in known
