"""A block at which nobody acts, in the daemon's order."""

from __future__ import annotations

from keeper.chain.blocks import Head
from keeper.service.chain_loop import ChainLoop
from keeper.service.tick import ChainLoops, tick


def look(deciding: ChainLoop) -> Head | None:
    """Work through the newest block; None where it was done."""
    head = deciding.next_head()
    if head is not None:
        tick(ChainLoops(deciding), head)
    return head
