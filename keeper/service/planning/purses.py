"""What a payer holds in a market, read by itself; the tick reads it along with the book."""

from __future__ import annotations

from typing import Any

from keeper.chain.blocks import Head
from keeper.chain.calls import answers_to
from keeper.model.purse import Purse
from keeper.service.markets import Market


def purse_of(market: Market, head: Head, payer: str, state: Any = None) -> Purse:
    """Balances and symbols at `head`; of a market that was read, or of this `state` of it."""
    state = market.book.state if state is None else state
    calls = market.adapter.planning_calls(state, [], payer)
    return market.adapter.read_planning(state, [], payer, answers_to(market.book.pool, head, calls))
