"""Failures of single markets: each is reported, none is fatal, and the other markets go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from keeper.alerts import market_alerts
from keeper.chain.blocks import Head
from keeper.errors import KeeperError, UnreachableError
from keeper.service.markets import Market
from keeper.service.reporting.log_throttle import LogThrottle
from keeper.store.database import Store

log = structlog.get_logger()


@dataclass(slots=True)
class MarketTroubles:
    """The markets of one chain that failed at the last block."""

    store: Store
    throttle: LogThrottle
    failed_at: dict[str, str] = field(default_factory=dict)
    """Market → hash of the block at which it failed."""

    @contextmanager
    def contained(self, market: Market, head: Head) -> Iterator[None]:
        """Report whatever goes wrong with one market, and go on; a failure of the whole chain or store is
        raised."""
        try:
            yield
        except Exception as error:
            if is_everyones(error):
                raise
            self.report(market, head, error)

    def report(self, market: Market, head: Head, error: Exception) -> None:
        """Log a market's failure and alert; where a node did not answer, alert only at the second block."""
        reason = str(error) or repr(error)
        if self.throttle.should_log(market.name, reason):
            # What the keeper raised on purpose says it all; anything else is a fault to be found.
            trace = None if isinstance(error, KeeperError) else error
            log.error("market failed", market=market.name, block=head.number, error=reason, exc_info=trace)
        is_repeated = self.failed_at.get(market.name) != head.hash and market.name in self.failed_at
        self.failed_at[market.name] = head.hash
        if isinstance(error, UnreachableError) and not is_repeated:
            return
        with self.store.session() as session:
            market_alerts.failed(session, market.name, head.number, reason, type(error).__name__)

    def forget_others(self, head: Head) -> None:
        """Forget the failures of markets that succeeded at this block."""
        for name in [name for name, block in self.failed_at.items() if block != head.hash]:
            del self.failed_at[name]
            self.throttle.clear(name)
            log.info("market answers again", market=name, block=head.number)


def is_everyones(error: Exception) -> bool:
    """Whether this is no single market's failure: the chain does not answer, or the store fails. A request
    that a node refuses, or a value that a store rejects, is the failure of the market that asked."""
    if isinstance(error, SQLAlchemyError):
        of_value = isinstance(error, DataError) or not isinstance(error, DBAPIError)
        return not of_value
    return isinstance(error, UnreachableError) and not getattr(error, "refused", False)
