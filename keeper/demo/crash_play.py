"""One crash over all markets: the daemon works at every block, and its results are read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keeper.demo.crash_stage import CrashStage
from keeper.demo.running import RunningDaemon, daemon
from keeper.localchain.aave_market import demo_market
from keeper.localchain.four_markets import FIRST_PRICE, PROTOCOLS
from keeper.localchain.transactions import queue
from keeper.store.tables.journal import Intent

BLOCKS = 16
# Blocks granted after the day for what was begun in it.
LATE_BLOCKS = 20
_BOTTOM, _RECOVERY = 0.62, 0.25


@dataclass(frozen=True)
class CrashMoment:
    """The state of every market after the keeper has worked at a block."""

    block: int
    ether: int
    markets: Mapping[str, list[dict[str, Any]]]
    """The recorded accounts, by market."""
    ended: list[Intent]


def path(seed: int) -> list[int]:
    """Ether's price (8 decimals) at every block: a fall of two fifths, and a part of it regained."""
    dice = random.Random(seed + 11)  # noqa: S311  (a market day, not a secret)
    found = []
    for block in range(1, BLOCKS + 1):
        time = block / BLOCKS
        level = 1 - (1 - _BOTTOM) * min(time / 0.7, 1) + (1 - _BOTTOM) * _RECOVERY * max(time - 0.7, 0) / 0.3
        found.append(int(FIRST_PRICE * level * dice.uniform(0.99, 1.01)))
    return found


def play_crash(stage: CrashStage, seed: int, tell: Callable[[CrashMoment], None]) -> int:
    """Play the whole day; returns the last block."""
    last, ether = stage.first_block, FIRST_PRICE
    with daemon(stage.folder) as running:
        tell(_moment(stage, running, last, ether))
        for ether in path(seed):
            last = _block(stage, ether)
            tell(_moment(stage, running, last, ether))
        for _ in range(LATE_BLOCKS):
            everybody = recorded(stage, last).values()
            if not running.is_unfinished(account for each in everybody for account in each):
                break
            last = _block(stage, ether)
            tell(_moment(stage, running, last, ether))
    return last


def _block(stage: CrashStage, ether: int) -> int:
    """Set the price in all markets, in a block after whatever the keeper has sent; the exchange follows."""
    for tx in stage.markets.moved(ether):
        queue(stage.anvil, tx, last=True)
    prices = {spec.symbol: spec.price for spec in demo_market()[0]}
    stage.exchange.follow(stage.anvil, stage.markets.aave, {**prices, "WETH": ether})
    return stage.anvil.mine()


def _moment(stage: CrashStage, running: RunningDaemon, block: int, ether: int) -> CrashMoment:
    """Wait until the keeper has worked at this block in all markets, then read the results."""
    running.wait_for(block, len(PROTOCOLS))
    return CrashMoment(block, ether, recorded(stage, block), running.newly_ended())


def recorded(stage: CrashStage, block: int) -> Mapping[str, list[dict[str, Any]]]:
    """What the daemon recorded of every market at this block."""
    with stage.record.open() as lines:
        entries = [json.loads(line) for line in lines.readlines()[-4 * len(PROTOCOLS) :]]
    return {e["market"]: e["accounts"] for e in entries if e["block"]["number"] == block}
