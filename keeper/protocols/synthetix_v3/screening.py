"""Accounts as sums over factors, with bounds on what no sum says: see docs/SCREENING.md.

A position of size s bears, at price P, funding F and interest I: s·(P + F) and the interest |s|·P·r·(I₀ − I)
on the side of equity, what it was entered at in the cash; and on that of maintenance |s|·P·least ratio,
s²·P·slope of the ratio, its flat minimum, and no more of the liquidation reward than its bounds allow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keeper.book.entries import Entries, Sparse
from keeper.margin.lending.weights import Weights
from keeper.margin.perps.synthetix_v3.account import KeeperTerms, keeper_reward
from keeper.margin.rounding import WAD
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


class Places:
    """Markets by place, in the order in which they became known; those beyond the last place have none."""

    def __init__(self) -> None:
        self._place: dict[int, int] = {}
        self.ids: list[int] = []

    def of(self, market: int) -> int | None:
        place = self._place.get(market)
        if place is None and len(self.ids) < MARKETS:
            place = self._place[market] = len(self.ids)
            self.ids.append(market)
        return place

    def market(self, factor: int) -> int | None:
        """Whose factor it is; None for those that belong to no market."""
        return None if factor < _FIRST else self.ids[(factor - _FIRST) // _EACH]


def entries(found: Sequence[bytes], places: Places) -> Entries:
    equity, maintenance = _Rows(), _Rows()
    unbounded = np.zeros(len(found), np.bool_)
    for row, record in enumerate(found):
        raw = records.decode(record)
        unbounded[row] = _is_unbounded(raw)
        cash = (dict(raw.collaterals).get(DOLLAR, 0) - raw.debt) * WAD
        for held in raw.positions:
            place = places.of(held.market)
            if place is None:
                unbounded[row] = True
                continue
            first, size = _FIRST + _EACH * place, abs(held.size)
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


class _Rows:
    """Entries of one side, row after row."""

    def __init__(self) -> None:
        self._starts, self._factors, self._amounts = [0], list[int](), list[float]()

    def add(self, factor: int, amount: int) -> None:
        if amount:
            self._factors.append(factor)
            self._amounts.append(float(amount))

    def end(self) -> None:
        self._starts.append(len(self._factors))

    def sparse(self) -> Sparse:
        starts = np.array(self._starts, np.int32)
        return Sparse(starts, np.array(self._factors, np.int32), np.array(self._amounts, np.float64))


def weights(state: PerpsState, timestamp: int, factors: Sequence[int], places: Places) -> Weights:
    equity, maintenance = np.zeros(FACTORS), np.zeros(FACTORS)
    unbounded = set() if state.costs_known else {REWARD}
    equity[CASH] = 1 / WAD
    reward, per_feed, further = _reward_bounds(state)
    maintenance[REWARD] = float(reward)
    maintenance[DOLLARS] = state.keeper.collateral_reward_ratio / WAD
    interest = state.interest.at(timestamp)
    for market in {places.market(factor) for factor in factors} - {None}:
        perp = state.perps.get(market) if market is not None else None
        place = places.of(market) if market is not None else None
        assert place is not None
        first = _FIRST + _EACH * place
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
