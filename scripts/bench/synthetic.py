"""Books of any size without a chain: a market's state and packed records, as the lens would have answered."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from keeper.margin.lending.aave import bounds, health
from keeper.margin.lending.aave.rules import BY_REVISION
from keeper.margin.lending.aave.state import EMode, MarketState, Reserve
from keeper.margin.lending.weights import Weights
from keeper.protocols.aave_v3.lens import PoolState

NOW = 1_750_000_000
BASE = 10**8
RAY = 10**27
_DECIMALS = (18, 8, 6, 18, 6, 18, 12, 18, 6, 18, 8, 18)


@dataclass(frozen=True)
class Shape:
    """How accounts lie around health 1: `spread` is the scatter of the logarithm of health, `centre` its
    middle; with `edge` all lie within 1e-4 of 1, half of them within 1e-9."""

    centre: float = 0.7
    spread: float = 0.45
    edge: bool = False


NORMAL = Shape()
"""Few are near 1, as in a market where liquidators are at work: health is lognormal about 2."""
EDGE = Shape(edge=True)


def state(revision: int, seed: int = 1, reserves: int = 12) -> PoolState:
    """A market of many kinds of tokens, with one e-mode; up to 3.1 that brings a price of its own."""
    dice = np.random.default_rng(seed)
    bitmap = BY_REVISION[revision].emode_by_bitmap
    listed = {}
    for number in range(reserves):
        threshold = int(dice.integers(5_000, 9_000))
        decimals = _DECIMALS[number % len(_DECIMALS)]
        category = 1 if not bitmap and number in (0, 3) else 0
        configuration = (threshold - 300) | threshold << 16 | 10_500 << 32 | decimals << 48 | category << 168
        listed[number] = Reserve(
            id=number,
            asset=f"0x{number + 1:040x}",
            a_token=f"0x{number + 101:040x}",
            variable_debt_token=f"0x{number + 201:040x}",
            stable_debt_token="0x" + "0" * 40,
            configuration=configuration,
            liquidity_index=int(RAY * dice.uniform(1, 1.3)),
            liquidity_rate=int(RAY * dice.uniform(0.001, 0.05)),
            variable_borrow_index=int(RAY * dice.uniform(1, 1.5)),
            variable_borrow_rate=int(RAY * dice.uniform(0.005, 0.2)),
            last_update=NOW - int(dice.integers(0, 3_600)),
            price=int(10 ** dice.uniform(8, min(12.8, 5 + decimals))),
        )
    emode = EMode(
        1,
        9_300,
        9_500,
        10_100,
        price=0 if bitmap else int(10**11.3),
        collateral_bitmap=0b1001,
        borrowable_bitmap=0b1001,
    )
    market = MarketState(listed, {1: emode}, BASE)
    return PoolState(revision, "0x" + "0" * 40, market)


def records(
    pool: PoolState, count: int, shape: Shape = NORMAL, seed: int = 2, timestamp: int = NOW
) -> list[bytes]:
    """`count` accounts with two collaterals and one debt each, a fifth of them in the e-mode."""
    dice = np.random.default_rng(seed)
    # The bitmaps made here are 64 bits wide.
    reserves = min(len(pool.market.reserves), 30)
    ids = np.argsort(dice.random((count, reserves)), axis=1)[:, :3]
    category = (dice.random(count) < 0.2).astype(np.int64)
    factors = ids + bounds.RESERVES * category[:, None]
    rules = BY_REVISION[pool.revision]
    weights = bounds.weights(health.accrue(pool.market, timestamp, rules), np.unique(factors).tolist())
    worth = 10 ** dice.uniform(10, 14, (count, 2))
    per_unit = np.maximum(weights.equity[factors[:, :2]], 1e-300)
    amounts = np.zeros((count, 3))
    amounts[:, :2] = np.floor(worth / per_unit)
    target = _health(dice, count, shape)
    amounts[:, 2] = np.floor(worth.sum(axis=1) / target / weights.maintenance[factors[:, 2]])
    return _packed(ids, category, np.maximum(amounts, 1))


def _health(dice: np.random.Generator, count: int, shape: Shape) -> NDArray[np.float64]:
    if not shape.edge:
        drawn = np.exp(dice.normal(shape.centre, shape.spread, count))
        # Whoever would be far below 1 was liquidated long ago.
        return np.where(drawn < 1.0, 1.0 + drawn, drawn)
    scale = np.where(dice.random(count) < 0.5, 1e-9, 1e-4)
    return 1.0 + scale * dice.uniform(-1, 1, count)


def _packed(ids: NDArray[np.int64], category: NDArray[np.int64], amounts: NDArray[np.float64]) -> list[bytes]:
    """The layout of `AaveV3Lens.accounts`, positions in order of their reserves."""
    count = len(ids)
    order = np.argsort(ids, axis=1)
    borrowed = order == 2
    ids, amounts = np.take_along_axis(ids, order, 1), np.take_along_axis(amounts, order, 1)
    packed = np.zeros((count, 34 * 4), np.uint8)
    packed[:, 0], packed[:, 1] = category, 3
    bits = np.where(borrowed, 1, 2) << (2 * ids)
    word = bits.sum(axis=1).astype(">u8")
    packed[:, 26:34] = word.view(np.uint8).reshape(count, 8)
    for place in range(3):
        at = 34 * (place + 1)
        packed[:, at] = ids[:, place]
        packed[:, at + 1] = np.where(borrowed[:, place], 2, 1)
        high = np.floor(amounts[:, place] / 2.0**64)
        low = amounts[:, place] - high * 2.0**64
        limbs = np.stack([high, low], axis=1).astype(np.uint64).astype(">u8")
        words = limbs.view(np.uint8).reshape(count, 16)
        packed[:, at + 2 : at + 18] = np.where(borrowed[:, place, None], 0, words)
        packed[:, at + 18 : at + 34] = np.where(borrowed[:, place, None], words, 0)
    whole = packed.tobytes()
    return [whole[at : at + 136] for at in range(0, len(whole), 136)]


def moved(pool: PoolState, factors: dict[int, float], timestamp_shift: int = 0) -> PoolState:
    """The same market with prices multiplied, by reserve; the time is the reader's to choose."""
    changed = {
        number: replace(each, price=max(int(each.price * factors.get(number, 1.0)), 1))
        for number, each in pool.market.reserves.items()
    }
    return replace(pool, market=replace(pool.market, reserves=changed))


def weights(pool: PoolState, timestamp: int, factors: list[int]) -> Weights:
    return bounds.weights(health.accrue(pool.market, timestamp, BY_REVISION[pool.revision]), factors)
