"""The market day: prices of every block, falling hard and partly recovering."""

from __future__ import annotations

import random
from collections.abc import Mapping

from keeper.localchain.aave_market import ReserveSpec

BLOCKS = 20
_RECOVERY = 0.35


def prices(seed: int, specs: list[ReserveSpec]) -> list[Mapping[str, int]]:
    """For each block the new 8-decimal price of every asset that moves."""
    dice = random.Random(seed + 7)  # noqa: S311  (a market day, not a secret)
    start = {spec.symbol: spec.price for spec in specs}
    bottom = {"WETH": dice.uniform(0.5, 0.6), "WBTC": dice.uniform(0.58, 0.7)}
    ratio = start["wstETH"] / start["WETH"]
    path: list[Mapping[str, int]] = []
    for block in range(1, BLOCKS + 1):
        step: dict[str, int] = {}
        for symbol, low in bottom.items():
            step[symbol] = int(start[symbol] * _level(block / BLOCKS, low) * dice.uniform(0.985, 1.015))
        # In the panic staked ether trades below its ratio, which hurts e-mode accounts.
        panic = 1 - 0.055 * _panic(block / BLOCKS)
        step["wstETH"] = int(step["WETH"] * ratio * panic)
        path.append(step)
    return path


def _level(time: float, low: float) -> float:
    """The price level: 1 at first, `low` at 60 % of the day, a third of the loss regained at its end."""
    if time <= 0.6:
        return 1 - (1 - low) * time / 0.6
    return low + (1 - low) * _RECOVERY * (time - 0.6) / 0.4


def _panic(time: float) -> float:
    return max(0.0, 1 - abs(time - 0.55) / 0.25)
