"""Silences between a feed's last rounds, and the heartbeat that they suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from web3.contract.contract import ContractFunctions

from keeper.chain.contract_reads import ContractReads

ROUNDS = 48
"""Past rounds read per feed."""
# What Chainlink's feeds are configured with, in seconds: 20 minutes, 1, 4, 8, 12, 24 and 48 hours.
_USUAL = (1200, 3600, 14_400, 28_800, 43_200, 86_400, 172_800)
_SLACK = 60
_DAY = 86_400
_FEW = 3
TOO_FEW = "too few rounds to tell; check it with the feed's publisher"


def rhythms(reads: ContractReads, feeds: Sequence[str]) -> dict[str, list[int]]:
    """Times of the last rounds of every feed, rising; empty for one without rounds. Two requests in all."""
    wanted = list(dict.fromkeys(feeds))
    contracts = {feed: reads.at("PriceFeed", feed).functions for feed in wanted}
    answers = reads.read_each(each.latestRoundData() for each in contracts.values())
    newest = {feed: answer for feed, answer in zip(wanted, answers, strict=True) if answer is not None}
    past = _past(reads, contracts, {feed: number for feed, (number, *_) in newest.items()})
    return {feed: sorted([newest[feed][3], *past[feed]]) if feed in newest else [] for feed in wanted}


def _past(
    reads: ContractReads, contracts: Mapping[str, ContractFunctions], rounds: Mapping[str, int]
) -> dict[str, list[int]]:
    """Times of the rounds before the newest, newest first, as far back as the feed still knows them."""
    # The low 64 bits count rounds within one aggregator; before its first there is nothing to ask for.
    asked = [
        (feed, newest - step)
        for feed, newest in rounds.items()
        for step in range(1, min(ROUNDS, (newest & (2**64 - 1)) - 1) + 1)
    ]
    answers = reads.read_each(contracts[feed].getRoundData(number) for feed, number in asked)
    times: dict[str, list[int]] = {feed: [] for feed in rounds}
    for (feed, _), answer in zip(asked, answers, strict=True):
        if answer is not None and (updated := answer[3]):
            times[feed].append(updated)
    return times


def propose(times: Sequence[int]) -> tuple[int, str]:
    """A heartbeat for a feed whose rounds came at these times (rising), and its reason: the shortest usual
    heartbeat that no silence exceeded, or a day where too little is known."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(gaps) < _FEW:
        return _DAY, TOO_FEW
    longest = max(gaps)
    usual = next((each for each in _USUAL if longest <= each + _SLACK), longest)
    return usual, f"the longest silence between its last {len(times)} rounds was {longest} s"
