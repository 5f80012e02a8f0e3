"""How long a feed has been silent between its last rounds, and the heartbeat that this suggests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.pool import NodePool

ROUNDS = 48
"""Past rounds looked at."""
# What Chainlink's feeds are configured with, in seconds: 20 minutes, 1, 4, 8, 12, 24 and 48 hours.
_USUAL = (1200, 3600, 14_400, 28_800, 43_200, 86_400, 172_800)
_SLACK = 60
_DAY = 86_400
_FEW = 3
TOO_FEW = "too few rounds to tell; check it with the feed's publisher"
_ROUND = ["uint80", "int256", "uint256", "uint256", "uint80"]


def rhythms(pool: NodePool, head: Head, feeds: Sequence[str]) -> dict[str, list[int]]:
    """Times of the last rounds of every feed, rising; empty for one without rounds. Two requests in all."""
    wanted = list(dict.fromkeys(feeds))
    selector = function_signature_to_4byte_selector("latestRoundData()")
    answers = run(pool, head, [Call(feed, selector) for feed in wanted])
    newest = {feed: _round(answer) for feed, answer in zip(wanted, answers, strict=True)}
    past = _past(pool, head, {feed: found[0] for feed, found in newest.items() if found})
    return {feed: sorted([found[1], *past.get(feed, [])]) if found else [] for feed, found in newest.items()}


def _past(pool: NodePool, head: Head, rounds: dict[str, int]) -> dict[str, list[int]]:
    """Times of the rounds before the newest, newest first, as far back as the feed still knows them."""
    selector = function_signature_to_4byte_selector("getRoundData(uint80)")
    # The low 64 bits count rounds within one aggregator; before its first there is nothing to ask for.
    asked = [
        (s, newest - step)
        for s, newest in rounds.items()
        for step in range(1, min(ROUNDS, (newest & (2**64 - 1)) - 1) + 1)
    ]
    answers = run(pool, head, [Call(s, selector + encode(["uint80"], [r])) for s, r in asked])
    times: dict[str, list[int]] = {}
    for (source, _), answer in zip(asked, answers, strict=True):
        found = _round(answer)
        if found and found[1]:
            times.setdefault(source, []).append(found[1])
    return times


def propose(times: Sequence[int]) -> tuple[int, str]:
    """A heartbeat for a feed whose rounds came at these times (rising), and why: the shortest usual one
    that the longest silence stayed within, a day where too little is known."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(gaps) < _FEW:
        return _DAY, TOO_FEW
    longest = max(gaps)
    usual = next((each for each in _USUAL if longest <= each + _SLACK), longest)
    return usual, f"the longest silence between its last {len(times)} rounds was {longest} s"


def _round(answer: Answer) -> tuple[int, int] | None:
    """(round, updatedAt) of an answer; None when it is none."""
    try:
        number, _, _, updated, _ = decode(_ROUND, answer.data) if answer.ok else (0, 0, 0, 0, 0)
    except DecodingError:
        return None
    return (number, updated) if answer.ok else None
