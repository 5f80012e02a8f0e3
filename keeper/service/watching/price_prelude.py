"""A block behind the signed prices that markets ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keeper.chain.answers import NodeError, RpcError
from keeper.chain.calls import run
from keeper.chain.head import Head, PreludeCall
from keeper.errors import ConfigError
from keeper.oracles.pull.service import WantedPrice
from keeper.service.markets import Market


def prelude_of(market: Market, head: Head) -> list[PreludeCall]:
    """The calls that bring signed prices to `head` before the market is read; none where it wants none."""
    if market.pulled is None or market.adapter.pulled is None:
        return []
    wanted: Sequence[WantedPrice] = ()
    if market.book.read:
        wanted = market.adapter.pulled.wanted_prices(market.book.state)
    elif market.pulled.wanted is not None:
        wanted = market.pulled.wanted
    else:
        wanted = _first_wanted(market, head)
    return market.pulled.bring(wanted, head)


def _first_wanted(market: Market, head: Head) -> Sequence[WantedPrice]:
    """The prices that a market not read yet wants; a failure here is left to the read itself to report."""
    assert market.adapter.pulled is not None, "whoever asks for prices has that role"
    mirror = market.adapter.mirror
    try:
        [answer] = run(market.book.pool, head, [mirror.market_call(())], mirror.lenses())
        return market.adapter.pulled.wanted_prices(mirror.read_market(answer))
    except (NodeError, RpcError, ConfigError):
        return ()


def behind(head: Head, calls: Sequence[PreludeCall]) -> Head:
    """The same block, read behind these calls."""
    return replace(head, prelude=tuple(dict.fromkeys(calls))) if calls else head
