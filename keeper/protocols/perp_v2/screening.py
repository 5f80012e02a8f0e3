"""Traders as sums over factors: see docs/SCREENING.md.

A position of size s bears, at mark P and premium growth G, on the side of equity s·(P − G) and what it was
opened and last settled at, which is cash; on that of maintenance |s|·P·ratio. Whoever has ranges, which bend
with the pool's price, or collateral tokens, whose sale has a verdict of its own, is valued exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keeper.book.entries import Entries, EntryRows
from keeper.margin.lending.weights import Weights
from keeper.margin.perps.perp_v2 import RATIO
from keeper.margin.perps.perp_v2_market import FUNDING_PERIOD, Q96
from keeper.margin.rounding import WAD
from keeper.protocols.perp_v2 import records
from keeper.protocols.perp_v2.lens import CurieState
from keeper.protocols.places import Places

CASH, _FIRST = 0, 1
# Of each market: on the side of equity its size, on that of maintenance the size without its sign.
SIZE, ABSOLUTE, _EACH = 0, 1, 2
MARKETS = 256
_PER_GROWTH = Q96 * FUNDING_PERIOD
# Wei that a position's numbers are cut by, at most: a size below ten units counts as none.
_DUST = 1e7


def places() -> Places[str]:
    """Markets by their base tokens."""
    return Places(_FIRST, _EACH, MARKETS)


def entries(found: Sequence[bytes], known: Places[str], decimals: int) -> Entries:
    equity, maintenance = EntryRows(), EntryRows()
    unbounded = np.zeros(len(found), np.bool_)
    for row, record in enumerate(found):
        raw = records.decode(record)
        cash = (raw.balance * 10 ** (18 - decimals) + raw.owed) * WAD
        # Where nothing is required health says nothing, and debt alone is a verdict.
        bare = not raw.positions and cash < 0
        unbounded[row] = bare or bool(raw.tokens) or any(each.ranges for each in raw.positions)
        for held in raw.positions:
            first = known.of(held.base)
            if first is None:
                unbounded[row] = True
                continue
            cash += held.notional * WAD + held.size * held.settled * WAD // _PER_GROWTH
            equity.add(first + SIZE, held.size)
            maintenance.add(first + ABSOLUTE, abs(held.size))
        equity.add(CASH, cash)
        equity.end()
        maintenance.end()
    return Entries(known.factors, equity.sparse(), maintenance.sparse(), unbounded)


def weights(state: CurieState, timestamp: int, factors: Sequence[int], known: Places[str]) -> Weights:
    """At the marks and growths of that second."""
    then, unbounded = state.at(timestamp), set[int]()
    equity, maintenance = np.zeros(known.factors), np.zeros(known.factors)
    equity[CASH] = 1 / WAD
    for base in {known.market(factor) for factor in factors} - {None}:
        first = known.of(base) if base is not None else None
        market = then.markets.get(base) if base is not None else None
        assert first is not None, "its factors have a place"
        worth = 0.0
        if market is not None and market.price is not None:
            growth = market.growth_at(then.max_rate, timestamp)
            worth = (market.price * _PER_GROWTH - growth.premium * WAD) / (_PER_GROWTH * WAD)
            maintenance[first + ABSOLUTE] = market.price * then.terms.mm_ratio / (WAD * RATIO)
        if worth <= 0:
            unbounded.update(range(first, first + _EACH))
            continue
        equity[first + SIZE] = worth
    return Weights(
        equity,
        maintenance,
        equity_dust=_DUST + 10.0 ** (18 - state.decimals),
        maintenance_dust=_DUST,
        unbounded=frozenset(unbounded),
    )
