"""Accounts as sums over factors, with bounds on what no sum says: see docs/SCREENING.md.

A position of size s bears, at price P, funding F and interest I: s·(P + F) and the interest |s|·P·r·(I₀ − I)
on the side of equity, what it was entered at in the cash; and on that of maintenance |s|·P·least ratio,
s²·P·slope of the ratio, its flat minimum, and no more of the liquidation reward than its bounds allow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keeper.book.entries import Entries, EntryRows
from keeper.margin.lending.weights import Weights
from keeper.margin.perps.synthetix_v3.account import KeeperTerms, keeper_reward
from keeper.margin.rounding import WAD
from keeper.protocols.places import Places
from keeper.protocols.synthetix_v3 import records
from keeper.protocols.synthetix_v3.lens import DOLLAR, PerpsState
from keeper.protocols.synthetix_v3.records import PerpsAccount

CASH, DOLLARS, REWARD = range(3)
"""Factors of every account: money less what positions were entered at, dollars, having positions at all."""
_FIRST = 3
# Of each market. On the side of equity: size, interest to now, interest at entry; then of maintenance.
SIZE, CHARGED, ENTERED, ABSOLUTE, SQUARE, COUNT = range(6)
_EACH = 6
MARKETS = 512
FACTORS = _FIRST + _EACH * MARKETS
# Ratios are cut to 18 digits three times on the way to a requirement of at least a thousandth of a percent.
_CUT = 1e-12
# Wei that a position's or an account's numbers are cut by, at most, in each of its entries.
_DUST = 2.0


def places() -> Places[int]:
    """Markets by their numbers."""
    return Places(_FIRST, _EACH, MARKETS)


def entries(found: Sequence[bytes], known: Places[int]) -> Entries:
    equity, maintenance = EntryRows(), EntryRows()
    unbounded = np.zeros(len(found), np.bool_)
    for row, record in enumerate(found):
        raw = records.decode(record)
        unbounded[row] = _is_unbounded(raw)
        cash = (dict(raw.collaterals).get(DOLLAR, 0) - raw.debt) * WAD
        for held in raw.positions:
            first, size = known.of(held.market), abs(held.size)
            if first is None:
                unbounded[row] = True
                continue
            cash -= held.size * (held.price + held.funding)
            equity.add(first + SIZE, held.size)
            equity.add(first + CHARGED, -size)
            equity.add(first + ENTERED, size * held.interest)
            maintenance.add(first + ABSOLUTE, size)
            maintenance.add(first + SQUARE, size * size)
            maintenance.add(first + COUNT, 1)
        equity.add(CASH, cash)
        if raw.positions:
            maintenance.add(REWARD, 1)
            maintenance.add(DOLLARS, dict(raw.collaterals).get(DOLLAR, 0))
        equity.end()
        maintenance.end()
    return Entries(FACTORS, equity.sparse(), maintenance.sparse(), unbounded)


def _is_unbounded(raw: PerpsAccount) -> bool:
    """Who is valued exactly: a synth's discount bends with its amount, a flag makes margin no matter, and
    debt alone can be seized where nothing is required."""
    return raw.flagged or any(i != DOLLAR for i, _ in raw.collaterals) or bool(raw.debt and not raw.positions)


def weights(state: PerpsState, timestamp: int, factors: Sequence[int], known: Places[int]) -> Weights:
    equity, maintenance = np.zeros(FACTORS), np.zeros(FACTORS)
    unbounded = set() if state.costs_known else {REWARD}
    equity[CASH] = 1 / WAD
    reward, per_feed, further = _reward_bounds(state)
    maintenance[REWARD] = float(reward)
    maintenance[DOLLARS] = state.keeper.collateral_reward_ratio / WAD
    interest = state.interest.at(timestamp)
    for market in {known.market(factor) for factor in factors} - {None}:
        perp = state.perps.get(market) if market is not None else None
        first = known.of(market) if market is not None else None
        assert first is not None, "its factors have a place"
        worth = 0 if perp is None or perp.price is None else perp.price + perp.funding_at(timestamp)
        if perp is None or perp.price is None or worth <= 0:
            unbounded.update(range(first, first + _EACH))
            continue
        terms, price = perp.terms, perp.price
        equity[first + SIZE] = worth / WAD
        equity[first + CHARGED] = price * perp.locked_ratio * interest / WAD**3
        equity[first + ENTERED] = price * perp.locked_ratio / WAD**3
        window = further / terms.window_max if terms.window_max else 0.0
        maintenance[first + ABSOLUTE] = (
            price * terms.min_initial_ratio * terms.maintenance_scalar / WAD**3
            + price * terms.flag_reward_ratio / WAD**2
            + window
        )
        if terms.skew_scale:
            slope = price * terms.initial_ratio * terms.maintenance_scalar
            maintenance[first + SQUARE] = slope / (terms.skew_scale * WAD**3)
        maintenance[first + COUNT] = float(terms.min_position_margin + per_feed)
    maintenance *= 1 + _CUT
    return Weights(
        equity,
        maintenance,
        equity_dust=_DUST,
        maintenance_dust=_DUST,
        maintenance_share=0.0,
        unbounded=frozenset(unbounded),
    )


def _reward_bounds(state: PerpsState) -> tuple[int, int, int]:
    """At most so much of a liquidation reward comes with an account, with each of its feeds, and with each
    further window; what comes with sizes and dollars besides."""
    keeper, costs = state.keeper, state.flag_costs
    base = costs[0] if costs else 0
    slope = max((-(-(cost - base) // count) for count, cost in enumerate(costs) if count), default=0)
    more = WAD + keeper.min_profit_ratio
    first = -(-(base + keeper.liquidate_cost) * more // WAD) + keeper.min_reward
    return first + 1, -(-max(slope, 0) * more // WAD) + 1, _further(keeper)


def _further(keeper: KeeperTerms) -> int:
    return keeper_reward(0, keeper.liquidate_cost, keeper)
