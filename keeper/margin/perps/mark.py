"""Mark prices: the median of index and averages, and an index with a clamped premium. float64 arrays.

Sources: perpetual-protocol/perp-curie-contract 2.6 and 2.8 (AccountBalance: median of three); Hyperliquid and
dYdX documentation (medians); Deribit (mark within a bandwidth around the index).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import finite, not_negative, positive_array
from keeper.margin.interface import Array


def median_mark(*prices: ArrayLike) -> Array:
    """Elementwise median of candidate prices, broadcast; MarginError where none is given."""
    if not prices:
        raise MarginError("no candidate", field="prices")
    candidates = [positive_array(each, f"prices[{place}]") for place, each in enumerate(prices)]
    return np.asarray(np.median(np.stack(np.broadcast_arrays(*candidates)), axis=0), dtype=np.float64)


def curie_mark(market: ArrayLike, market_twap: ArrayLike, index: ArrayLike, premium: ArrayLike) -> Array:
    """Perp v2: median of the market's short TWAP (2.6: its price now; 2.8: 15 s), its long TWAP (30 min), and
    index + 15 min premium."""
    shifted = positive_array(index, "index") + finite(premium, "premium")
    return median_mark(market, market_twap, shifted)


def clamped_premium_mark(index: ArrayLike, premium: ArrayLike, limit: float) -> Array:
    """index·(1 + clamp(premium, ±limit)), premium and limit as ratios."""
    not_negative(limit, "limit")
    clipped = np.clip(finite(premium, "premium"), -limit, limit)
    return np.asarray(positive_array(index, "index") * (1 + clipped), dtype=np.float64)


def twap(prices: ArrayLike, seconds: ArrayLike) -> Array:
    """Σ price·seconds / Σ seconds over the last axis: each price held for its seconds."""
    held, values = finite(seconds, "seconds"), positive_array(prices, "prices")
    if (held < 0).any() or (held.sum(axis=-1) <= 0).any():
        raise MarginError("must not be negative, nor all zero", field="seconds")
    return np.asarray((values * held).sum(axis=-1) / held.sum(axis=-1), dtype=np.float64)
