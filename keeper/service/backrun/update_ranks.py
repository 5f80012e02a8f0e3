"""Which pending transactions are simulated first: anybody can send one that names an oracle, at no cost.

Known transmitters come before senders that call an oracle's contract, and those before senders that only name
one. Each rank has its own line and its own number of simulations per block, and each sender only a few
places, so that no number of strangers hides a real update. Within a line, senders who have sent most come
first: sending costs gas, which a transmitter has paid many times.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from enum import IntEnum

from keeper.chain.backrun import PendingUpdate


class Rank(IntEnum):
    """The rank of a pending transaction; lower ranks are simulated first."""

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
    """Pending updates that have not been simulated yet. Not thread-safe."""

    def __init__(self) -> None:
        self._lines: dict[Rank, list[PendingUpdate]] = {rank: [] for rank in Rank}

    def put(self, update: PendingUpdate, rank: Rank) -> bool:
        """Add an update; False when its sender has no place left, or the line is full of better ones."""
        line = self._lines[rank]
        if sum(each.sender == update.sender for each in line) >= EACH_SENDER:
            return False
        insort(line, update, key=lambda each: -each.nonce)
        return len(line) <= WAITING or line.pop() != update

    def take(self) -> PendingUpdate | None:
        """Remove and return the first of the best line, the oldest among equals; None when nothing waits."""
        return next((line.pop(0) for line in self._lines.values() if line), None)
