"""The average index price of Perp v2's Chainlink feed, in the contract's own integers, its flaw included.

Source: perpetual-protocol/perp-oracle-contract 0.6, contracts/twap/CumulativeTwap.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from keeper.errors import MarginError
from keeper.margin.checks import natural


@dataclass(frozen=True, slots=True)
class IndexObservation:
    """A price that the feed took note of, when it was answered, and price times seconds until then."""

    price: int
    cumulative: int
    time: int


def index_average(
    noted: Sequence[IndexObservation], price: int, answered: int, interval: int, now: int
) -> int:
    """The feed's average over `interval` seconds up to `now`, rounded down, in the answers' own decimals.

    `noted` is from the oldest to the newest, `price` the newest answer and `answered` its time. Without
    enough history it is that price. Where the newest answer is older than the interval and was never noted,
    the one noted last is counted against its time: the average goes astray, and below zero it reverts.
    """
    natural(interval, "interval")
    if not noted or interval == 0:
        return price
    start, newest = now - interval, noted[-1]
    total = (
        newest.cumulative
        + newest.price * natural(answered - newest.time, "answered")
        + price * natural(now - answered, "now")
    )
    if start < noted[0].time:
        return price
    if start >= newest.time:
        until_start = newest.cumulative + newest.price * (start - newest.time)
    else:
        before, after = next(pair for pair in pairwise(noted) if pair[0].time <= start <= pair[1].time)
        part = (after.cumulative - before.cumulative) * (start - before.time)
        until_start = before.cumulative + part // (after.time - before.time)
    if total < until_start:
        raise MarginError("the newest answer was not noted for too long: the feed reverts", field="answered")
    return (total - until_start) // interval or price
