"""Whose pending transactions are looked at first: anybody may send what names an oracle, at no cost.

Known transmitters come before whoever calls an oracle's contract, and those before whoever only names one.
Each rank waits in a line of its own and has looks of its own in each block, and each sender a few places, so
that no number of strangers hides a real update. Within a line come first those who have sent most before:
that costs gas, which a transmitter has paid many times.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from enum import IntEnum

from keeper.chain.backrun import PendingUpdate


class Rank(IntEnum):
    """The lower, the sooner it is looked at."""

    TRANSMITTER = 0
    DIRECT = 1
    NAMING = 2


# Places in each line, and of them for one sender; looks of each rank in one block.
WAITING = 32
EACH_SENDER = 4
LOOKS = {Rank.TRANSMITTER: 32, Rank.DIRECT: 32, Rank.NAMING: 16}
_MOST_KNOWN = 4096


class Transmitters:
    """Senders whose transactions were seen to write an oracle's answer; the latest few thousand."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, sender: str) -> bool:
        return sender.lower() in self._known

    def add(self, sender: str) -> None:
        self._known[sender.lower()] = None
        self._known.move_to_end(sender.lower())
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


class WaitingUpdates:
    """Pending updates that nobody has looked at yet. Not safe to use from several threads."""

    def __init__(self) -> None:
        self._lines: dict[Rank, list[PendingUpdate]] = {rank: [] for rank in Rank}

    def put(self, update: PendingUpdate, rank: Rank) -> bool:
        """Let it wait; False where its sender has no place left, or the line is full of better ones."""
        line = self._lines[rank]
        if sum(each.sender == update.sender for each in line) >= EACH_SENDER:
            return False
        insort(line, update, key=lambda each: -each.nonce)
        return len(line) <= WAITING or line.pop() != update

    def take(self) -> PendingUpdate | None:
        """The first of the best line, the oldest of several alike; None when nothing waits."""
        return next((line.pop(0) for line in self._lines.values() if line), None)
