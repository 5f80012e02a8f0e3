"""Outages of a chain: each is reported once, when it outlasts a passing failure."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from keeper.chain.blocks import Head
from keeper.service.chain_context import ChainContext
from keeper.service.reporting import status
from keeper.service.reporting.log_throttle import LogThrottle

log = structlog.get_logger()

# Seconds for which all nodes may be in trouble before that is reported: about a block, within these.
LEAST_PATIENCE = 1.0
MOST_PATIENCE = 3.0
# No market can have this name.
_CHAIN = ""


@dataclass(slots=True)
class Outage:
    """The outage of one chain. `is_on`: it did not answer the last request for a block or its state."""

    chain: ChainContext
    throttle: LogThrottle
    is_on: bool = False
    since: float | None = None

    def report(self, error: Exception, block_seconds: float) -> None:
        """Report that no node answers; a failure shorter than a block is only tried again."""
        self.is_on = True
        now = time.monotonic()
        self.since = now if self.since is None else self.since
        if now - self.since < min(max(block_seconds, LEAST_PATIENCE), MOST_PATIENCE):
            log.debug("tried again", chain=self.chain.name, error=str(error))
            return
        if self.throttle.should_log(_CHAIN, str(error)):
            log.error("chain unreachable", chain=self.chain.name, error=str(error))
        with self.chain.store.session() as session:
            status.write_unreachable(session, self.chain.name, self.chain.mode, str(error))

    def end(self, head: Head) -> None:
        """End the outage: the chain has answered."""
        self.is_on, self.since = False, None
        if self.throttle.clear(_CHAIN):
            log.info("chain answers again", chain=self.chain.name, number=head.number)
