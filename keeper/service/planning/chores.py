"""Chores: work that a market as a whole needs and nobody is paid for, as settling what has expired. Off
unless the operator grants it a gas budget per day.

One chore at a time, the first in the market's order; one that fails repeatedly gives its turn to another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session

from keeper.execution import journal
from keeper.model.chore import Chore
from keeper.model.valuation import Valuation
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning.breach import Breach, open_episodes
from keeper.service.planning.retry_policy import DAY, RetryPolicy
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.rows import update_row
from keeper.store.tables.watching import CHORES, Episode

COIN = 10**18


@dataclass
class ChoreDesk:
    """Finds the chores that are due; remembers which markets had some last, as others need no look into the
    store."""

    chain: ChainContext
    retries: RetryPolicy
    _wanted: dict[str, bool] = field(default_factory=dict)

    def due(self, market: Market, valued: MarketValuation) -> list[Breach]:
        """The chore that may be done now, if any."""
        chores, budget = market.adapter.chores, int(market.settings.own.chores_gas_per_day * COIN)
        if chores is None or not budget or not valued.acting:
            return []
        # In the next block at the earliest.
        at = valued.head.timestamp + 1
        wanted = chores.due_chores(market.book.state, market.book.accounts, at)
        if not wanted and self._wanted.get(market.name) is False:
            return []
        with self.chain.store.session() as session:
            episode = self._episode(session, market, valued.head.number, bool(wanted))
            if episode is None:
                return []
            since = valued.head.timestamp - DAY
            spent = journal.gas_of(session, market.name, episode.account, "settle", self.chain.mode, since)
            breach = self._breach(session, market, episode, wanted, max(budget - spent, 0))
            return self.retries.ready(session, [breach], valued.head)

    def _episode(self, session: Session, market: Market, block: int, wanted: bool) -> Episode | None:
        """The market's episode, which lasts as long as any chore is due."""
        self._wanted[market.name] = wanted
        account = market.adapter.contract.lower()
        episode = next(iter(open_episodes(session, market.name, CHORES)), None)
        if not wanted:
            if episode is not None:
                update_row(session, episode, closed_block=block)
            return None
        if episode is None:
            episode = Episode.begin(market.name, account, CHORES, block)
            session.add(episode)
            session.flush()
        return episode

    def _breach(
        self, session: Session, market: Market, episode: Episode, wanted: list[Chore], left: int
    ) -> Breach:
        assert episode.id is not None
        failed = journal.attempts(session, episode.id, "settle", self.chain.mode).failures_in_a_row
        return Breach(
            market,
            Valuation(episode.account, 0, 0, 0, liquidatable=False),
            self.chain.policies.levels(market.name, episode.account),
            episode,
            chore=wanted[failed % len(wanted)],
            gas_left=left,
        )
