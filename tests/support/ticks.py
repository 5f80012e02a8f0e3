"""The daemon's own order, by hand: a block of both loops, of one that only looks, or acting alone."""

from __future__ import annotations

from keeper.chain.blocks import Head
from keeper.service.chain_loop import ChainLoop
from keeper.service.tick import ChainLoops, advance, tick


def work(chain: ChainLoops) -> Head | None:
    """Both loops at the newest block; where it is done, acting alone. The block, if it was new."""
    head = chain.deciding.next_head()
    if head is None:
        act_again(chain)
    else:
        tick(chain, head)
    return head


def look(deciding: ChainLoop, head: Head | None = None) -> Head | None:
    """A block (the newest one) at which nobody acts; None where there is no new one."""
    head = head or deciding.next_head()
    if head is not None:
        tick(ChainLoops(deciding), head)
    return head


def act_again(chain: ChainLoops) -> None:
    """The acting loop at the decided block, whether or not it has been there."""
    assert chain.deciding.head is not None
    chain.acted = None
    advance(chain)
