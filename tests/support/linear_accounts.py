"""Margin accounts that are linear in prices, long and short, with a protocol's integers: cash, and in each
market a size, of which a share of its value must be held. Its rounding is against the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keeper.book.entries import Entries, Sparse
from keeper.margin.lending.weights import Weights

UNIT = 10**18
RATE_UNIT = 10**4
MARKETS = 6
CASH = MARKETS
"""The factor of the cash; those before are the markets'."""
RATES = (100, 250, 300, 500, 800, 1_250)
Integers = NDArray[Any]
"""Python's integers, one a place: what the protocol counts in holds more than 64 bits."""


@dataclass
class LinearAccounts:
    """By row: `cash` in units of the settlement token, and sizes by market, both signed."""

    cash: Integers
    sizes: Integers

    def equity(self, prices: Sequence[int]) -> Integers:
        """Cash and what the positions are worth, each rounded down."""
        worth = [self.sizes[:, i] * price // UNIT for i, price in enumerate(prices)]
        return self.cash + sum(worth)

    def maintenance(self, prices: Sequence[int]) -> Integers:
        """The share of each position's value that must be held, rounded up."""
        required = [
            -(-abs(self.sizes[:, i]) * price * RATES[i] // (UNIT * RATE_UNIT))
            for i, price in enumerate(prices)
        ]
        return np.asarray(sum(required))

    def entries(self, records: Sequence[bytes]) -> Entries:
        """Of the rows that the records name."""
        rows = np.array([int.from_bytes(each, "big") for each in records], np.int64)
        sizes, cash = self.sizes[rows], self.cash[rows]
        amounts = np.concatenate([sizes, cash[:, None]], axis=1).astype(np.float64)
        return Entries(
            MARKETS + 1,
            _sparse(amounts),
            _sparse(np.abs(amounts[:, :MARKETS])),
            np.zeros(len(rows), np.bool_),
        )

    def records(self) -> list[bytes]:
        return [row.to_bytes(4, "big") for row in range(len(self.cash))]


def _sparse(amounts: NDArray[np.float64]) -> Sparse:
    row, factor = np.nonzero(amounts)
    starts = np.zeros(len(amounts) + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=len(amounts)), out=starts[1:])
    return Sparse(starts, factor.astype(np.int32), amounts[row, factor])


def weights(prices: Sequence[int]) -> Weights:
    """A position is rounded down by a unit, what must be held for it up by one."""
    equity = np.array([*(price / UNIT for price in prices), 1.0])
    maintenance = np.array(
        [price * rate / (UNIT * RATE_UNIT) for price, rate in zip(prices, RATES, strict=True)]
    )
    return Weights(equity, np.append(maintenance, 0.0), equity_dust=1.0, maintenance_dust=1.0)


def prices(dice: np.random.Generator) -> list[int]:
    return [int(10 ** dice.uniform(16, 23)) for _ in range(MARKETS)]


def crowd(
    dice: np.random.Generator, count: int, now: Sequence[int], level: int, *, apart: Sequence[float]
) -> LinearAccounts:
    """One to three positions each, long or short, and so much cash, owed or had, that the surplus at `level`
    (1e18) is within one of the shares `apart` of all that is added up, or within some units of nothing."""
    held = np.argsort(dice.random((count, MARKETS)), axis=1) < dice.integers(1, 4, count)[:, None]
    worth = 10 ** dice.uniform(15, 27, (count, MARKETS)) * np.where(
        dice.random((count, MARKETS)) < 0.5, -1, 1
    )
    sizes = np.zeros((count, MARKETS), object)
    for i, price in enumerate(now):
        drawn = [int(each) * UNIT // price for each in worth[:, i]]
        sizes[:, i] = np.where(held[:, i], np.array(drawn, object), 0)
    made = LinearAccounts(np.zeros(count, object), sizes)
    required = -(-made.maintenance(now) * level // UNIT)
    positions = made.equity(now)
    gross = abs(positions) + required
    share = dice.choice(np.array(apart), count) * dice.uniform(-1, 1, count)
    off = np.array([int(s * int(g)) for s, g in zip(share, gross, strict=True)], object)
    few = np.array(dice.integers(-4, 5, count).tolist(), object)
    made.cash = required - positions + np.where(dice.random(count) < 0.3, few, off)
    return made


def is_below(equity: Integers, maintenance: Integers, level: int) -> NDArray[np.bool_]:
    """Exactly, without a division; nobody of whom nothing is required."""
    return np.asarray((maintenance > 0) & (equity * UNIT < level * maintenance), np.bool_)
