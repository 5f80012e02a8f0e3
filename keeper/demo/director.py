"""The director runs the day: the same daemon that `keeper run --live` starts, one block after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.demo.day import prices
from keeper.demo.hostile import Beat, Feeds, beats, rest, transactions
from keeper.demo.running import RunningDaemon, daemon
from keeper.demo.stage import BLOCK_SECONDS, Stage
from keeper.execution.lifecycle import LIVE
from keeper.localchain import aave_actions as act
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import queue
from keeper.store.tables.journal import Intent

# Blocks granted after the day for what was begun in it.
LATE_BLOCKS = 25


@dataclass(frozen=True)
class Moment:
    """The state of the market after the keeper has worked at a block."""

    block: int
    prices: Mapping[str, int]
    accounts: list[dict[str, Any]]
    ended: list[Intent]
    held: Mapping[str, str]
    """Accounts below a threshold at which nothing was done, and why."""
    unvaluable: Mapping[str, str]
    title: str = ""
    truth: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Day:
    """A stage, the daemon that works on it, and the callback for every block."""

    stage: Stage
    daemon: RunningDaemon
    tell: Callable[[Moment], None]

    def show(self, block: int, now: Mapping[str, int], beat: Beat | None = None) -> None:
        """Wait until both loops have worked at this block, then report the results."""
        self.daemon.wait_for(block)
        seen, ended = _newest_record(self.stage), self.daemon.newly_ended()
        moment = Moment(block, dict(now), seen["accounts"], ended, seen["held"], seen["unvaluable"])
        self.tell(replace(moment, title=beat.title, truth=beat.truth) if beat else moment)

    def is_unfinished(self) -> bool:
        return self.daemon.is_unfinished(_newest_record(self.stage)["accounts"], LIVE)


def play(stage: Stage, seed: int, tell: Callable[[Moment], None]) -> int:
    """Play the whole day; returns the last block. `tell` is called with every block."""
    now = {spec.symbol: spec.price for spec in stage.specs}
    with daemon(stage.folder) as running:
        day = _Day(stage, running, tell)
        day.show(stage.first_block, now)
        return _falling(day, seed, now) if stage.feeds is None else _hostile(day, stage.feeds, seed)


def _falling(day: _Day, seed: int, now: Mapping[str, int]) -> int:
    """Play the day on which prices fall and partly recover."""
    stage, last = day.stage, day.stage.first_block
    for place, step in enumerate(prices(seed, stage.specs)):
        now = {**now, **step}
        if stage.world is not None and stage.world.between(stage.anvil, place):
            day.show(stage.anvil.block_number(), now)
        last = _block(stage, step, now)
        day.show(last, now)
    for _ in range(LATE_BLOCKS):
        if not day.is_unfinished():
            break
        last = _block(stage, {}, now)
        day.show(last, now)
    return last


def _hostile(day: _Day, feeds: Feeds, seed: int) -> int:
    """Play the day on which the feeds lie; the late blocks give the truth."""
    anvil, last = day.stage.anvil, day.stage.first_block
    script = beats(seed, day.stage.specs)
    late = [rest(script[-1])] * LATE_BLOCKS
    for beat in [*script[1:], *late]:
        if beat in late and not day.is_unfinished():
            break
        block = as_dict(anvil.rpc.call("eth_getBlockByNumber", hex(last), False))
        timestamp = as_int(block["timestamp"]) + BLOCK_SECONDS
        for tx in transactions(feeds, beat, timestamp):
            queue(anvil, tx)
        last = anvil.mine()
        day.show(last, beat.truth, beat)
    return last


def _block(stage: Stage, step: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Give the feeds new answers, in a block after whatever the keeper has sent; the exchange follows."""
    for symbol, price in step.items():
        tx = act.set_price(stage.market, stage.market.reserves[symbol], price)
        queue(stage.anvil, tx, last=stage.exchange is not None)
    if stage.exchange is not None:
        stage.exchange.follow(stage.anvil, stage.market, now)
    return stage.anvil.mine()


def _newest_record(stage: Stage) -> dict[str, Any]:
    with stage.record.open("rb") as record:
        *_, newest = record
    found: dict[str, Any] = json.loads(newest)
    return found
