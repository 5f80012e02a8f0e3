"""The daemon's own order, by hand: a block of both loops, of one that only looks, or acting alone."""

from __future__ import annotations

import pytest

from keeper.chain.blocks import Head
from keeper.model.valuation import Valuation
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import Market
from keeper.service.tick import ChainLoops, advance, tick
from keeper.service.watching.memory import WatchOnly


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


def last_valuations(deciding: ChainLoop, market: Market | None = None) -> list[Valuation]:
    """What the last block said of a market's (the first's) accounts."""
    return deciding.last_valued[(market or deciding.markets[0]).name].valuations


def halted(deciding: ChainLoop, market: Market | None = None) -> WatchOnly:
    """Why a market (the first) is watched only, as of the last block."""
    return deciding.memory_of(market or deciding.markets[0]).watch_only


def no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is compared with the contract's own view but at the start, and before somebody is acted on."""
    name = "keeper.service.watching.value.next_sample"
    monkeypatch.setattr(name, lambda market, memory, protected: ([], memory.turn))


def act_again(chain: ChainLoops) -> None:
    """The acting loop at the decided block, whether or not it has been there."""
    assert chain.deciding.head is not None
    chain.acted = None
    advance(chain)
