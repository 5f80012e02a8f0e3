"""Alerts of what the book and the adapter noticed of chain, nodes and market at a block; none of it
decides."""

from __future__ import annotations

from keeper.alerts import market_alerts, notices
from keeper.chain.blocks import Head
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.database import Store

DAY = 24 * 3600


class MarketAlerts:
    """Raises a market's alerts, and remembers those raised so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, set[str]] = {}
        self._strange_day: dict[str, int] = {}

    def raise_for(self, market: Market, valued: MarketValuation) -> None:
        """Raise alerts for what the valuation noticed, once per episode."""
        self._standing(market, valued)
        self._strangers(market, valued)
        refresh = valued.refresh
        if refresh is None or not (refresh.rebuilt or refresh.silent or refresh.unbalanced):
            return
        with self._store.session() as session:
            if refresh.rebuilt:
                market_alerts.rebuilt(session, market.name, valued.head.number)
            if refresh.silent:
                market_alerts.silent_change(session, market.name, valued.head.number, sorted(refresh.silent))
            if refresh.unbalanced:
                market_alerts.unbalanced(session, market.name, valued.head.number, refresh.unbalanced)

    def _strangers(self, market: Market, valued: MarketValuation) -> None:
        """Alert that parts which nobody trusts cannot be valued: one warning per day, however they
        flicker."""
        day = valued.head.timestamp // DAY
        parts = {part for account in valued.unvaluable if (part := market.adapter.part(account))}
        silent = sorted(part for part in parts if not market.is_trusted_part(part))
        if not silent or self._strange_day.get(market.name) == day:
            return
        with self._store.session() as session:
            market_alerts.strangers_silent(session, market.name, valued.head.number, day, silent)
        self._strange_day[market.name] = day

    def stale(self, market: Market, head: Head, accounts: frozenset[str]) -> None:
        """Alert that accounts' records were stale when they were about to be acted on."""
        with self._store.session() as session:
            market_alerts.silent_change(session, market.name, head.number, sorted(accounts))

    def _standing(self, market: Market, valued: MarketValuation) -> None:
        """Report the adapter's warnings about its whole market, and what is wrong with prices brought to
        it."""
        known = self._told.get(market.name)
        standing = dict(market.adapter.explainer.market_warnings(market.book.state))
        standing |= market.pulled.warnings if market.pulled is not None else {}
        if known is not None and standing.keys() == known:
            return
        with self._store.session() as session:
            known = notices.open_notices(session, market.name) if known is None else set(known)
            notices.note(session, market.name, valued.head.number, standing, known)
        self._told[market.name] = known
