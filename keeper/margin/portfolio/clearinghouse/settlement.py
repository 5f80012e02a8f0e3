"""What options settle at: the index averaged over the last half hour, by observations or by a feed's rounds.

As contracts/src/clearinghouse/Options.sol. An observation stands for the time since the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.errors import MarginError
from keeper.margin.rounding import WAD

WINDOW = 30 * 60
LEAST_OBSERVATIONS = 10
LONGEST_GAP = 5 * 60
_MOST_GAP = 2**24 - 1


@dataclass(frozen=True, slots=True)
class ExpiryAverage:
    """How far an expiry is averaged: until `last` (0: not begun), `total` of index times seconds.

    `gap` is the longest time that one observation stands for.
    """

    last: int = 0
    count: int = 0
    gap: int = 0
    total: int = 0

    def suffices(self) -> bool:
        """Whether it may settle by these observations, once `last` is the expiry."""
        return self.count >= LEAST_OBSERVATIONS and self.gap <= LONGEST_GAP


def observed(average: ExpiryAverage, expiry: int, index: int, now: int) -> ExpiryAverage:
    """The average with the index at `now`; unchanged within a block and after the end.

    MarginError before the window.
    """
    start = expiry - WINDOW
    if now <= start:
        raise MarginError(f"begins at {start}", field="window", remedy="Wait until then")
    last = average.last or start
    if last in (expiry, now):
        return average
    until = min(now, expiry)
    gap = min(max(average.gap, now - last), _MOST_GAP)
    return ExpiryAverage(until, average.count + 1, gap, average.total + index * (until - last))


def averaged_part(average: ExpiryAverage, expiry: int) -> tuple[int, int]:
    """The averaged part of the forward (9 decimals) and the share that is open (18 decimals), both down."""
    if not average.last:
        return 0, WAD
    return average.total // WINDOW, WAD * (expiry - average.last) // WINDOW


@dataclass(frozen=True, slots=True)
class FeedRound:
    """A round of a price feed: its number, its answer with 9 decimals, and when it was given."""

    number: int
    index: int
    given_at: int


def settled_by_rounds(expiry: int, rounds: Sequence[FeedRound]) -> int:
    """The average of the rounds over the window, each standing until the next; rounded down.

    MarginError unless they follow one another from before the window until its end.
    """
    since, total, standing = expiry - WINDOW, 0, 0
    for place, each in enumerate(rounds):
        if not each.given_at or (
            each.given_at > since if place == 0 else each.number != rounds[place - 1].number + 1
        ):
            raise _missing(each.number)
        until = min(each.given_at, expiry)
        if until > since:
            total += standing * (until - since)
            since = until
        standing = each.index
    if since != expiry:
        raise _missing(rounds[-1].number + 1 if rounds else 0)
    return total // WINDOW


def _missing(number: int) -> MarginError:
    return MarginError(
        f"round {number} is missing or too late", field="rounds", remedy="Begin with an earlier one"
    )
