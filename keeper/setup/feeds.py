"""What a price source says of itself, and how long it has been silent between its last rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
_ROUND = ["uint80", "int256", "uint256", "uint256", "uint80"]


@dataclass(frozen=True, slots=True)
class Source:
    """A price source as it describes itself. `heartbeat` in seconds is a proposal and `because` its reason;
    None where the source has no rounds of its own: an adapter whose price comes from other feeds."""

    address: str
    description: str
    decimals: int | None
    aggregator: str | None
    heartbeat: int | None
    because: str


def look_at(pool: NodePool, head: Head, sources: Sequence[str]) -> dict[str, Source]:
    """Every source by its address, in two requests whatever their number."""
    wanted = list(dict.fromkeys(sources))
    questions = ("description()", "decimals()", "aggregator()", "latestRoundData()")
    calls = [Call(s, function_signature_to_4byte_selector(q)) for s in wanted for q in questions]
    answers = run(pool, head, calls)
    said = {s: answers[i * 4 : i * 4 + 4] for i, s in enumerate(wanted)}
    newest = {s: _round(answer[3]) for s, answer in said.items()}
    past = _past(pool, head, {s: found[0] for s, found in newest.items() if found})
    return {s: _source(s, said[s], newest[s], past.get(s, [])) for s in wanted}


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


def _source(address: str, said: list[Answer], newest: tuple[int, int] | None, past: list[int]) -> Source:
    described, decimals, aggregator, _ = said
    heartbeat, because = (None, "") if newest is None else propose(sorted([newest[1], *past]))
    return Source(
        address=address,
        description=_text(described),
        decimals=int.from_bytes(decimals.data[:32], "big") if decimals.ok and decimals.data else None,
        aggregator="0x" + aggregator.data[12:32].hex() if aggregator.ok and aggregator.data else None,
        heartbeat=heartbeat,
        because=because,
    )


def propose(times: Sequence[int]) -> tuple[int, str]:
    """A heartbeat for a feed whose rounds came at these times (rising), and why: the shortest usual one
    that the longest silence stayed within, a day where too little is known."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(gaps) < _FEW:
        return _DAY, "too few rounds to tell; check it with the feed's publisher"
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


def _text(answer: Answer) -> str:
    try:
        text = str(decode(["string"], answer.data)[0]) if answer.ok else ""
    except (DecodingError, UnicodeDecodeError):
        return ""
    return "".join(c for c in text if c.isprintable())[:80]
