"""Watches gas money: how long it lasts, and whether the native coin has a price."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from keeper.alerts import keeper_alerts
from keeper.service.chain_loop import ChainLoop
from keeper.service.planning import gas_money
from keeper.service.planning.native_price import (
    native_price,
    native_price_assumption,
    unknown_native_price,
)
from keeper.service.reporting.log_throttle import LogThrottle
from keeper.store.database import Store
from keeper.store.tables.watching import ChainStatus
from keeper.store.types import now

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class GasWatch:
    """Watches the native coins of one payer (None: nobody pays)."""

    store: Store
    payer: str | None
    throttle: LogThrottle

    def look(self, chain: ChainLoop) -> None:
        """Forecast how long the gas money lasts; alert, once per day, when it runs low. Until the deciding
        loop has seen the chain, that loop reports whatever is wrong with it."""
        if chain.head is None or self.payer is None:
            return
        self._look_for_price(chain)
        name = chain.pool.name
        balance = int(chain.pool.call("eth_getBalance", self.payer, "latest"), 16)
        with self.store.session() as session:
            found = gas_money.forecast(session, name, self.payer, balance, now())
            row = session.get(ChainStatus, name)
            if row is not None:
                row.native, row.gas_hours = found.balance, found.hours
            low = gas_money.runs_low(found, chain.settings.policy)
            if low:
                keeper_alerts.low_balance(session, name, self.payer, now().date().isoformat(), low)

    def _look_for_price(self, chain: ChainLoop) -> None:
        """Alert where a chain's coin has no price: nothing is liquidated without one, and nobody would know
        why. Log where the price is an assumption."""
        name, settings = chain.pool.name, chain.settings
        read = [market for market in chain.markets if market.book.head is not None]
        if read and native_price(settings, read) is None:
            what, remedy = unknown_native_price(settings)
            if self.throttle.should_log(f"native:{name}", what):
                log.error("no native price", chain=name, why=what, remedy=remedy)
            with self.store.session() as session:
                keeper_alerts.no_native_price(session, name, now().date().isoformat(), what, remedy)
            return
        self.throttle.clear(f"native:{name}")
        assumed = native_price_assumption(settings)
        if assumed and self.throttle.should_log(f"assumed:{name}", assumed):
            log.warning("native price assumed", chain=name, why=assumed)
