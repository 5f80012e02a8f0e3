"""From a node's pending transactions to a bundle: wait, simulate and act, one update after another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from keeper.chain.answers import CannotError, RpcError
from keeper.chain.backrun import ADAPTERS, PendingUpdate
from keeper.chain.pending import pending
from keeper.chain.pool import NodePool
from keeper.config import RelaySettings
from keeper.execution.loop import ExecutionLoop
from keeper.service.backrun.pending_updates import PendingUpdates
from keeper.service.backrun.update_ranks import WaitingUpdates

log = structlog.get_logger()

# Blocks for which an update that made something possible is looked at anew while it waits.
FOLLOWED_BLOCKS = 10


class Loops(Protocol):
    """The loops of one chain: `looking` is held while the markets are looked at, `acting` while acting."""

    actor: ExecutionLoop | None
    looking: threading.Lock
    acting: threading.Lock


class UpdateWatch:
    """Listens to one chain's pending transactions. `later` runs a piece of work on another thread."""

    def __init__(
        self,
        pool: NodePool,
        settings: RelaySettings,
        updates: PendingUpdates,
        loops: Loops,
        later: Callable[[Callable[[], object]], object],
    ) -> None:
        assert settings.mempool_ws is not None
        self.updates = updates
        self._loops = loops
        self._later = later
        self._adapter = ADAPTERS[settings.bundle_method]
        self._stream = pending(pool.name, pool.chain_id, settings.mempool_ws, updates.concerns, self._told)
        self._guard = threading.Lock()
        self._waiting = WaitingUpdates()
        self._busy = False
        self._pool = pool
        self._kept: dict[PendingUpdate, int] = {}

    def start(self) -> None:
        self._stream.start()

    @property
    def listening(self) -> bool:
        """Whether a node reports pending transactions now."""
        return self._stream.listening

    def again(self) -> None:
        """Simulate again, after a block, the updates that still wait: a bundle is for one block only."""
        head = self.updates.deciding.head
        with self._guard:
            kept = [(update, until) for update, until in self._kept.items() if head and head.number < until]
            self._kept = dict(kept)
        for update, _ in kept:
            found = self._pool.call("eth_getTransactionByHash", update.hash)
            if found is not None and found.get("blockNumber") is None:
                self._told(update)

    def stop(self) -> None:
        """Stop listening; the scheduler waits for work under way."""
        self._stream.stop()

    def _told(self, update: PendingUpdate) -> None:
        rank = self.updates.rank(update)
        with self._guard:
            if not self._waiting.put(update, rank) or self._busy:
                return
            self._busy = True
        self._later(self._work)

    def _work(self) -> None:
        """Simulate all that wait, known transmitters first."""
        while True:
            with self._guard:
                update = self._waiting.take()
                if update is None:
                    self._busy = False
                    return
            try:
                self.act(update)
            except (RpcError, CannotError) as error:
                log.warning("cannot look ahead", update=update.hash, error=str(error))
            except BaseException:
                with self._guard:
                    self._busy = False
                raise

    def act(self, update: PendingUpdate) -> None:
        """Journal what the update makes possible, and bundle it behind the update."""
        actor = self._loops.actor
        if actor is None or not actor.can_bundle:
            return
        if not update.raw and self._adapter.needs_bytes:
            log.info("not behind the update", update=update.hash, why="its bytes are not known")
            return
        with self._loops.looking:
            found = self.updates.look(update)
            if found is None:
                return
            head, numbers = found
            with self._guard:
                self._kept.setdefault(update, head.number + FOLLOWED_BLOCKS)
            timestamp = self.updates.deciding.next_timestamp(head)
        with self._loops.acting:
            actor.bundle_behind(numbers, update, self._adapter, head, timestamp)
