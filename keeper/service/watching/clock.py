"""Block time against this machine's clock: a check of its own, off on forks and local chains."""

from __future__ import annotations

from keeper.chain.blocks import Head
from keeper.config import Chain


def complaint(chain: Chain, head: Head, wall: float) -> str:
    """Why nothing may be sent at this head, in words; empty when block time and clock (Unix seconds) agree.

    An old head is a node that is behind, or a clock that is ahead; one from the future a clock that is
    behind. Which of them cannot be told from here, and acting on an old state spends money blindly.
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
