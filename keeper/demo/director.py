"""Running the day: the same daemon that `keeper run --live` starts, one block after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.demo.day import prices
from keeper.demo.hostile import Feeds, beats, rest, transactions
from keeper.demo.running import Process, daemon, ended_since, is_unfinished, store_of, wait_for
from keeper.demo.stage import BLOCK_SECONDS, Stage
from keeper.localchain import aave_actions as act
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import queue
from keeper.store.database import Store
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import TransactionState

# Blocks granted after the day for what was begun in it.
LATE_BLOCKS = 25
_MOVING = (TransactionState.SIGNED, TransactionState.SENT, TransactionState.INCLUDED)


@dataclass(frozen=True)
class Moment:
    """What one block looked like once the keeper had worked at it."""

    block: int
    prices: Mapping[str, int]
    accounts: list[dict[str, Any]]
    ended: list[Intent]
    held: Mapping[str, str]
    """Accounts below a threshold at which nothing was done, and why."""
    unvaluable: Mapping[str, str]
    title: str = ""
    truth: Mapping[str, int] = field(default_factory=dict)


def play(stage: Stage, seed: int, tell: Callable[[Moment], None]) -> int:
    """Play the whole day; returns the last block. `tell` hears of every block."""
    now = {spec.symbol: spec.price for spec in stage.specs}
    last = stage.first_block
    told: set[int] = set()
    with daemon(stage.folder, stage.config) as process:
        store = store_of(stage.folder, process)
        try:
            tell(_moment(stage, store, process, last, now, told))
            if stage.feeds is not None:
                return _hostile(stage, stage.feeds, seed, store, process, tell, told)
            for place, step in enumerate(prices(seed, stage.specs)):
                now = {**now, **step}
                if stage.world is not None and stage.world.between(stage.anvil, place):
                    last = stage.anvil.block_number()
                    tell(_moment(stage, store, process, last, now, told))
                last = _block(stage, step, now)
                tell(_moment(stage, store, process, last, now, told))
            for _ in range(LATE_BLOCKS):
                if not _unfinished(store, stage):
                    break
                last = _block(stage, {}, now)
                tell(_moment(stage, store, process, last, now, told))
        finally:
            store.close()
    return last


def _hostile(
    stage: Stage,
    feeds: Feeds,
    seed: int,
    store: Store,
    process: Process,
    tell: Callable[[Moment], None],
    told: set[int],
) -> int:
    """The day on which the feeds lie; the late blocks say the truth."""
    last = stage.first_block
    script = beats(seed, stage.specs)
    late = [rest(script[-1])] * LATE_BLOCKS
    for beat in [*script[1:], *late]:
        if beat in late and not _unfinished(store, stage):
            break
        block = as_dict(stage.anvil.rpc.call("eth_getBlockByNumber", hex(last), False))
        timestamp = as_int(block["timestamp"]) + BLOCK_SECONDS
        for tx in transactions(feeds, beat, timestamp):
            queue(stage.anvil, tx)
        last = stage.anvil.mine()
        moment = _moment(stage, store, process, last, beat.truth, told)
        tell(replace(moment, title=beat.title, truth=beat.truth))
    return last


def _block(stage: Stage, step: Mapping[str, int], now: Mapping[str, int]) -> int:
    """New answers of the feeds, in a block behind whatever the keeper has sent; the exchange follows."""
    for symbol, price in step.items():
        tx = act.set_price(stage.market, stage.market.reserves[symbol], price)
        queue(stage.anvil, tx, last=stage.exchange is not None)
    if stage.exchange is not None:
        stage.exchange.follow(stage.anvil, stage.market, now)
    return stage.anvil.mine()


def _moment(
    stage: Stage,
    store: Store,
    process: Process,
    block: int,
    now: Mapping[str, int],
    told: set[int],
) -> Moment:
    """Wait until both loops have worked at this block, then look at what they left."""
    wait_for(stage.folder, process, store, block)
    seen = _newest_record(stage)
    ended = ended_since(store, told)
    return Moment(block, dict(now), seen["accounts"], ended, seen["held"], seen["unvaluable"])


def _newest_record(stage: Stage) -> dict[str, Any]:
    with stage.record.open("rb") as record:
        *_, newest = record
    found: dict[str, Any] = json.loads(newest)
    return found


def _unfinished(store: Store, stage: Stage) -> bool:
    return is_unfinished(store, _newest_record(stage)["accounts"], _MOVING)
