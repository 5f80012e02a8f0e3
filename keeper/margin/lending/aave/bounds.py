"""Aave's valuation as sums of weights, with proven bounds of the effect of its rounding.

The derivation is in docs/SCREENING.md. A factor is a reserve as accounts in one e-mode category hold it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keeper.margin.lending.aave.fixed import PERCENT, RAY
from keeper.margin.lending.aave.health import AccruedMarket, in_emode, price_for
from keeper.margin.lending.weights import Weights

RESERVES = 128
CATEGORIES = 256
FACTORS = RESERVES * CATEGORIES
# One token unit worth more than this part of a unit of base currency: the factor is valued exactly instead.
COARSEST = 100
# To 3.4 the average threshold is truncated to basis points: a factor with a threshold below this many would
# widen every account's interval by more than a percent.
LEAST_THRESHOLD = 100


def factor(reserve_id: int, category: int) -> int:
    return reserve_id + RESERVES * category


def weights(market: AccruedMarket, factors: Iterable[int]) -> Weights:
    """Weights of a scaled unit of each factor at the market's timestamp, in base currency units."""
    rules = market.rules
    equity, maintenance = np.zeros(FACTORS), np.zeros(FACTORS)
    equity_dust = maintenance_dust = spread = 0.0
    unbounded: set[int] = set()
    for each in factors:
        category, reserve_id = divmod(each, RESERVES)
        accrued = market.reserves.get(reserve_id)
        if accrued is None or (category and category not in market.emodes):
            unbounded.add(each)
            continue
        emode = market.emode(category)
        price = price_for(accrued, category, emode, rules)
        if price * COARSEST > market.base_unit * accrued.unit:
            unbounded.add(each)
            continue
        counts = rules.threshold_zero_counts or accrued.threshold != 0
        inside = in_emode(accrued, category, emode, rules)
        threshold = (emode.threshold if inside else accrued.threshold) if counts else 0
        if rules.averages_threshold and counts:
            if threshold < LEAST_THRESHOLD:
                unbounded.add(each)
                continue
            spread = max(spread, 1 / threshold)
        unit_price = price / accrued.unit
        equity[each] = accrued.income * price * threshold / (RAY * accrued.unit * PERCENT)
        maintenance[each] = accrued.debt_index * price / (RAY * accrued.unit)
        equity_dust = max(equity_dust, (unit_price + 1) * threshold / PERCENT)
        maintenance_dust = max(maintenance_dust, unit_price + 1)
    # Directed: dust and spread are sums of a few roundings themselves.
    widen = 1 + 2**-50
    return Weights(
        equity=equity,
        maintenance=maintenance,
        spread=spread * widen,
        equity_dust=equity_dust * widen,
        maintenance_dust=maintenance_dust * widen,
        flat=1.0 if rules.averages_threshold else 0.0,
        unbounded=frozenset(unbounded),
    )
