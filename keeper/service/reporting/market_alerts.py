"""What the book and the adapter noticed of chain, nodes and market at a block: told, none of it decides."""

from __future__ import annotations

from keeper.alerts import market_alerts, notices
from keeper.chain.blocks import Head
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.database import Store

DAY = 24 * 3600


class MarketAlerts:
    """What was told so far of each market."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, set[str]] = {}
        self._strange_day: dict[str, int] = {}

    def tell(self, run: Market, at: MarketValuation) -> None:
        """Once an episode."""
        self._standing(run, at)
        self._strangers(run, at)
        refresh = at.refresh
        if refresh is None or not (refresh.rebuilt or refresh.silent or refresh.unbalanced):
            return
        with self._store.session() as session:
            if refresh.rebuilt:
                market_alerts.rebuilt(session, run.name, at.head.number)
            if refresh.silent:
                market_alerts.silent_change(session, run.name, at.head.number, sorted(refresh.silent))
            if refresh.unbalanced:
                market_alerts.unbalanced(session, run.name, at.head.number, refresh.unbalanced)

    def _strangers(self, run: Market, at: MarketValuation) -> None:
        """Parts that nobody trusts and that cannot be valued: one warning a day, however they flicker."""
        day = at.head.timestamp // DAY
        parts = {part for account in at.unvaluable if (part := run.adapter.part(account))}
        silent = sorted(part for part in parts if not run.is_trusted_part(part))
        if not silent or self._strange_day.get(run.name) == day:
            return
        with self._store.session() as session:
            market_alerts.strangers_silent(session, run.name, at.head.number, day, silent)
        self._strange_day[run.name] = day

    def stale(self, run: Market, head: Head, accounts: frozenset[str]) -> None:
        """Accounts whose records were stale when they were about to be acted on."""
        with self._store.session() as session:
            market_alerts.silent_change(session, run.name, head.number, sorted(accounts))

    def _standing(self, run: Market, at: MarketValuation) -> None:
        """What the adapter says of its whole market."""
        known = self._told.get(run.name)
        standing = run.adapter.explainer.market_warnings(run.book.state)
        if known is not None and standing.keys() == known:
            return
        with self._store.session() as session:
            known = notices.open_notices(session, run.name) if known is None else set(known)
            notices.note(session, run.name, at.head.number, standing, known)
        self._told[run.name] = known
