"""Time between blocks (a median over several gaps, which one missed slot or one lull does not move), and its
agreement with this machine's clock."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from statistics import median

from keeper.chain import blocks
from keeper.chain.answers import NodeError
from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool
from keeper.config import Chain

# Timestamps are whole seconds: gaps are taken over so many blocks, that a quarter of a second shows.
STRIDE = 8
REMEMBERED = 64
# How far back the first look goes.
FIRST_LOOK = 32


class BlockTime:
    """Seconds between blocks, as configured or learnt from heads; until two blocks are known `usual`, the
    known figure of such a chain, or None."""

    def __init__(self, fixed: Decimal | None, usual: Decimal | None = None) -> None:
        self.seconds = usual if fixed is None else fixed
        self._fixed = fixed is not None
        self._seen: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    def learn(self, pool: NodePool, head: Head) -> None:
        """Take a head into account; the first one costs a request for an older block."""
        if self._fixed:
            return
        if not self._seen:
            self._look_back(pool, head)
        while self._seen and self._seen[-1][0] >= head.number:
            self._seen.pop()
        self._seen.append((head.number, head.timestamp))
        gaps = self._gaps()
        if gaps:
            self.seconds = median(gaps)

    def _look_back(self, pool: NodePool, head: Head) -> None:
        for back in (FIRST_LOOK, 1):
            if head.number < back:
                continue
            try:
                older = blocks.by_number(pool, head.number - back)
            except NodeError:
                continue
            if older is not None and older.timestamp < head.timestamp:
                self._seen.append((older.number, older.timestamp))
                return

    def _gaps(self) -> list[Decimal]:
        """Seconds per block over each stretch of several blocks; while there is none, over the longest
        one."""
        seen = list(self._seen)
        found = []
        for place, (number, timestamp) in enumerate(seen):
            later = next((each for each in seen[place + 1 :] if each[0] - number >= STRIDE), None)
            if later is not None:
                found.append(Decimal(later[1] - timestamp) / (later[0] - number))
        if not found and len(seen) > 1:
            found = [Decimal(seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])]
        return [each for each in found if each > 0] or ([Decimal(0)] if found else [])


def clock_complaint(chain: Chain, head: Head, wall: float) -> str:
    """Why nothing may be sent at this head, in words; empty when block time and clock (Unix seconds) agree.

    An old head means a node that is behind or a clock that is ahead; a head from the future, a clock that is
    behind. The two cannot be told apart from here, and acting on an old state spends money blindly.
    """
    limit = chain.head_age_limit
    age = int(wall) - head.timestamp
    if limit is None or abs(age) <= limit:
        return ""
    side = "behind" if age > 0 else "ahead of"
    return (
        f"block {head.number} is {abs(age)} s {side} this machine's clock (limit {limit} s): "
        "nothing is sent. Check the clock (NTP) and whether the node is synchronised, or set max_head_age"
    )
