"""Auto-deleveraging: who is closed first against a bankrupt position, and for how much.

Rank = PnL % × effective leverage where in profit, PnL % / leverage where not; highest first.
Source: BitMEX and Binance (ADL ranking). Closing takes place at the bankruptcy price, so that what the
counterparties give up is exactly the shortfall.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keeper.errors import MarginError
from keeper.margin.checks import finite, positive_array
from keeper.margin.interface import Array


def scores(size: ArrayLike, entry: ArrayLike, mark: ArrayLike, equity: ArrayLike) -> Array:
    """Rank score per position, of signed sizes, entry and mark prices, and the equity behind each (> 0)."""
    held, opened, now = finite(size, "size"), positive_array(entry, "entry"), positive_array(mark, "mark")
    profit = held * (now - opened) / (np.abs(held) * opened + (held == 0))
    leverage = np.abs(held) * now / positive_array(equity, "equity")
    with np.errstate(divide="ignore", invalid="ignore"):
        losing = np.where(leverage > 0, profit / leverage, 0.0)
    return np.asarray(np.where(profit > 0, profit * leverage, losing), dtype=np.float64)


def queue(
    size: ArrayLike, entry: ArrayLike, mark: ArrayLike, equity: ArrayLike, *, against_long: bool
) -> NDArray[np.intp]:
    """Indices of the positions opposite to a bankrupt one, first to be deleveraged first; ties by index."""
    held = finite(size, "size")
    ranked = np.argsort(-scores(size, entry, mark, equity), kind="stable")
    opposite = held < 0 if against_long else held > 0
    return ranked[opposite[ranked]]


def deleverage(order: NDArray[np.intp], size: ArrayLike, amount: float) -> Array:
    """How much of each position is closed (unsigned, in the positions' order) to close `amount` in total.

    MarginError where `amount` is negative or more than the queue holds.
    """
    held = np.abs(finite(size, "size"))
    if not 0 <= amount <= float(held[order].sum()):
        raise MarginError(f"is {amount}, more than the queue holds or negative", field="amount")
    closed = np.zeros_like(held)
    before = np.concatenate(([0.0], np.cumsum(held[order])[:-1]))
    closed[order] = np.clip(amount - before, 0.0, held[order])
    return closed


def settle_at(price: Fraction, size: Fraction, entry: Fraction) -> Fraction:
    """Profit or loss of closing at `price` a signed `size` that was opened at `entry`, exact."""
    return size * (price - entry)
