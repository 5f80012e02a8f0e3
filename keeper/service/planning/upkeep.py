"""Work that accounts make and anybody may do beside liquidations, as an order that waits to be settled.

It is planned like a liquidation: profit after gas, funds, waits after failures. What we protect is worked for
whatever it earns. Nothing of it is an account's danger, so nobody is alerted where it does not pay.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session

from keeper.model.valuation import Valuation
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning.breach import Breach, open_episodes
from keeper.service.planning.retry_policy import RetryPolicy
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.rows import update_row
from keeper.store.tables.watching import UPKEEP, Episode

# So many at a block: anybody makes as many orders as he likes, and what they cost to plan delays everybody's.
MOST_AT_ONCE = 64


@dataclass
class UpkeepDesk:
    """Remembers which accounts make work, so that only those whose record changed are looked at."""

    chain: ChainContext
    retries: RetryPolicy
    _working: dict[str, dict[str, None]] = field(default_factory=dict)
    """By market, the accounts that make work, the oldest first."""
    _noted: set[tuple[str, str]] = field(default_factory=set)
    """Those with an open episode; others need no look into the store."""

    def due(self, market: Market, valued: MarketValuation) -> list[Breach]:
        """The work that may be done now."""
        upkeep = market.adapter.upkeep
        if upkeep is None or not valued.acting:
            return []
        working = self._look(market, valued)
        # In the next block at the earliest: a delay that ends then has ended.
        at = valued.head.timestamp + 1
        state, accounts = market.book.state, market.book.accounts
        ready = [each for each in working if upkeep.is_due(state, accounts[each], at)][:MOST_AT_ONCE]
        over = [each for name, each in self._noted if name == market.name and each not in ready]
        if not ready and not over and market.name in self._working:
            return []
        with self.chain.store.session() as session:
            wanted = self._wanted(session, market, valued.head.number, ready)
            return self.retries.ready(session, wanted, valued.head) if wanted else []

    def _look(self, market: Market, valued: MarketValuation) -> list[str]:
        """The accounts that make work at this block."""
        upkeep, rows, refresh = market.adapter.upkeep, market.book.rows, valued.refresh
        assert upkeep is not None
        known = self._working.get(market.name)
        if known is None or refresh is None or refresh.rebuilt or refresh.reorganised:
            found = [row for row, record in enumerate(rows.records) if upkeep.has_work(record)]
            known = self._working[market.name] = {rows.account(row): None for row in found}
        for account in refresh.touched if refresh is not None else ():
            record = market.book.record(account)
            if record and upkeep.has_work(record):
                known.setdefault(account)
            else:
                known.pop(account, None)
        return list(known)

    def _wanted(self, session: Session, market: Market, block: int, ready: list[str]) -> list[Breach]:
        """Each with its episode, which lasts as long as the work can be done."""
        episodes = {each.account: each for each in open_episodes(session, market.name, UPKEEP)}
        for account, episode in episodes.items():
            if account not in ready:
                update_row(session, episode, closed_block=block)
        self._noted = {each for each in self._noted if each[0] != market.name}
        found = []
        for account in ready:
            episode = episodes.get(account) or Episode.begin(market.name, account, UPKEEP, block)
            if episode.id is None:
                session.add(episode)
                session.flush()
            self._noted.add((market.name, account))
            levels = self.chain.policies.levels(market.name, account)
            nothing = Valuation(account, 0, 0, 0, liquidatable=False)
            if not levels.ignored:
                found.append(Breach(market, nothing, levels, episode, upkeep=True))
        return found
