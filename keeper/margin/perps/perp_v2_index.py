"""The average index price of Perp v2's Chainlink feed, in the contract's integers, with the contract's flaw.

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
    """A stored observation of the feed: price, Unix `time` of the answer, and price·seconds up to then."""

    price: int
    cumulative: int
    time: int


def index_average(
    noted: Sequence[IndexObservation], price: int, answered: int, interval: int, now: int
) -> int:
    """The feed's average over `interval` seconds up to `now`, rounded down, in the answers' own decimals.

    `noted` are the stored observations, oldest first, `price` the newest answer and `answered` its time. The
    average is `price` where the history is too short, or the average would be 0. Where the newest answer is
    older than the interval and was never stored, the contract subtracts the last stored price for the time
    between: the average is then wrong, and MarginError is raised where it is negative and the feed reverts.
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
