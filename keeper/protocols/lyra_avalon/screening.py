"""Positions as one entry on each side: see docs/SCREENING.md.

A short of `amount` must hold what one of its option costs at the shocked spot, times the amount, or a static
minimum where that is more. Each option is a factor and a group of its own, so that a position breaks at one
level of one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keeper.book.entries import Entries, EntryRows
from keeper.errors import MarginError
from keeper.margin.lending.weights import Weights
from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.rounding import WAD
from keeper.protocols.lyra_avalon.lens import AvalonState, read_position
from keeper.protocols.lyra_avalon.valuing import is_short
from keeper.protocols.places import Places

COLLATERAL, LEAST_QUOTE, LEAST_BASE, _FIRST = range(4)
OPTIONS = 1024
# An option weighs so much of a unit more than it costs: what costs nearly nothing changes by large shares.
_CUSHION = 1e-5
# From so many seconds before its end on time takes too large a share from block to block.
_LAST = 86_400


class Leg(NamedTuple):
    """One option: `kind` by the contract's own numbers, its strike's price, the second it expires."""

    kind: int
    price: int
    expiry: int

    @property
    def name(self) -> str:
        return f"{ShortKind(self.kind).name.lower()} {self.price} {self.expiry}"


def places() -> Places[Leg]:
    """Options by what they are."""
    return Places(_FIRST, 1, OPTIONS)


def entries(found: Sequence[bytes], known: Places[Leg]) -> Entries:
    equity, maintenance = EntryRows(), EntryRows()
    unbounded = np.zeros(len(found), np.bool_)
    for row, record in enumerate(found):
        raw = read_position(record)
        if is_short(raw):
            factor = known.of(Leg(raw.kind, raw.price, raw.expiry))
            equity.add(COLLATERAL, raw.collateral)
            maintenance.add(LEAST_BASE if raw.kind == ShortKind.CALL_BASE else LEAST_QUOTE, 1)
            if factor is None:
                unbounded[row] = True
            else:
                maintenance.add(factor, raw.amount)
        equity.end()
        maintenance.end()
    return Entries(known.factors, equity.sparse(), maintenance.sparse(), unbounded)


def weights(state: AvalonState, timestamp: int, factors: Sequence[int], known: Places[Leg]) -> Weights:
    """Collateral in its own unit, as it is required; nobody is called certainly below."""
    equity, maintenance = np.zeros(known.factors), np.zeros(known.factors)
    equity[COLLATERAL] = 1.0
    maintenance[LEAST_QUOTE] = float(state.terms.static_quote)
    maintenance[LEAST_BASE] = float(state.terms.static_base)
    unbounded = set[int]()
    for factor in factors:
        leg = known.market(factor)
        if leg is None:
            continue
        costs = _costs(state, leg, timestamp)
        if costs is None:
            unbounded.add(factor)
        else:
            maintenance[factor] = costs
    return Weights(
        equity,
        maintenance,
        equity_dust=0.0,
        maintenance_dust=0.0,
        maintenance_share=0.0,
        unbounded=frozenset(unbounded),
    )


def _costs(state: AvalonState, leg: Leg, timestamp: int) -> float | None:
    """What a unit requires besides the static minimum, at most; None where no price is known, or
    none that lasts."""
    left = leg.expiry - timestamp
    if not state.spot or 0 < left < _LAST:
        return None
    try:
        price, shocked = state.terms.shocked_price(ShortKind(leg.kind), leg.price, max(left, 0), state.spot)
    except MarginError:
        return None
    if leg.kind == ShortKind.CALL_BASE:
        return price / shocked + _CUSHION
    return (price + state.spot * _CUSHION) / WAD
