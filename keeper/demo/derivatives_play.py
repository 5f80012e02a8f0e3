"""The day of derivatives: a squeeze upward, a crash, and a week in which time alone does its work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keeper.demo.derivatives_stage import (
    BLOCK_SECONDS,
    FIRST,
    MARKETS,
    REDUCED,
    SETTLER,
    DerivativesStage,
)
from keeper.demo.running import RunningDaemon, daemon
from keeper.localchain import lyra_avalon_actions as options
from keeper.localchain import perp_v2_actions as curie
from keeper.localchain import synthetix_v3_actions as perps
from keeper.localchain.calldata import view
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import Tx, queue
from keeper.store.tables.journal import Intent

DAY = 86_400
LATE_BLOCKS = 6
_SQUEEZE, _CRASH = 1.075, 0.94


@dataclass(frozen=True)
class DayStep:
    """What one block brings: prices as fractions of the first, and the seconds since the last block."""

    title: str
    level: float
    seconds: int = BLOCK_SECONDS


@dataclass(frozen=True)
class DerivativesMoment:
    """The state of every market after the keeper has worked at a block."""

    block: int
    step: DayStep
    markets: Mapping[str, list[dict[str, Any]]]
    ended: list[Intent]

    @property
    def ether(self) -> int:
        """Ether's price in whole dollars."""
        return int(FIRST["ETH"] * self.step.level)


def path() -> Iterator[DayStep]:
    """The steps of the whole day, block by block."""
    yield from _moved("a short squeeze", 1.0, _SQUEEZE, 9)
    yield from _moved("the squeeze is over", _SQUEEZE, 1.0, 6)
    yield from _moved("a crash", 1.0, _CRASH, 20)
    yield from (DayStep("prices stand still", _CRASH) for _ in range(4))
    yield from (DayStep("a day passes, prices stand still", _CRASH, DAY) for _ in range(7))


def _moved(title: str, start: float, end: float, blocks: int) -> Iterator[DayStep]:
    for number in range(1, blocks + 1):
        yield DayStep(title, start + (end - start) * number / blocks)


def play_derivatives(stage: DerivativesStage, tell: Callable[[DerivativesMoment], None]) -> int:
    """Play the whole day; returns the last block."""
    last, step = stage.first_block, DayStep("before", 1.0)
    with daemon(stage.folder) as running:
        tell(_moment(stage, running, last, step))
        for step in path():
            last = _block(stage, step)
            tell(_moment(stage, running, last, step))
        for _ in range(LATE_BLOCKS):
            step = DayStep("what was begun is finished", _CRASH)
            last = _block(stage, step)
            tell(_moment(stage, running, last, step))
    return last


def _block(stage: DerivativesStage, step: DayStep) -> int:
    """Set new prices everywhere, in a block after whatever the keeper has sent."""
    anvil = stage.anvil
    for symbol, price in FIRST.items():
        level = 1.0 if symbol == "SOL" else step.level
        queue(anvil, perps.set_price(stage.perps, symbol, int(price * level * 10**8)), last=True)
    market, ether = stage.curie.markets["vETH"], int(FIRST["ETH"] * step.level * 10**8)
    queue(anvil, curie.set_index(stage.curie, market, ether), last=True)
    queue(anvil, curie.cache_index(stage.curie, stage.curie.owner, market), last=True)
    queue(anvil, curie.push_pool(anvil.rpc, stage.curie, market, ether), last=True)
    queue(anvil, options.set_spot(stage.options, ether * 10**10), last=True)
    for brought in _benchmarks(stage, step):
        queue(anvil, brought, last=True)
    if step.seconds != BLOCK_SECONDS:
        head = as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))
        anvil.set_next_timestamp(as_int(head["timestamp"]) + step.seconds)
    return anvil.mine()


def _benchmarks(stage: DerivativesStage, step: DayStep) -> Iterator[Tx]:
    """The price that the account's order waits for, as a price service would bring it."""
    order = view(stage.anvil.rpc, stage.perps.perps, "getOrder(uint128)", (REDUCED,), *["int256"] * 4)
    if not order[3]:
        return
    market = stage.perps.markets["ETH"]
    time = perps.price_time(stage.anvil.rpc, stage.perps, REDUCED, market)
    price = int(FIRST["ETH"] * step.level) * 10**8
    yield perps.bring_benchmark(stage.perps, SETTLER, market.feed, price, time)


def _moment(stage: DerivativesStage, running: RunningDaemon, block: int, step: DayStep) -> DerivativesMoment:
    running.wait_for(block, len(MARKETS))
    return DerivativesMoment(block, step, recorded(stage, block), running.newly_ended())


def recorded(stage: DerivativesStage, block: int) -> Mapping[str, list[dict[str, Any]]]:
    """What the daemon recorded of every market at this block."""
    with stage.record.open() as lines:
        entries = [json.loads(line) for line in lines.readlines()[-4 * len(MARKETS) :]]
    return {e["market"]: e["accounts"] for e in entries if e["block"]["number"] == block}
