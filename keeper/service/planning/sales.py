"""Sales by a market itself: collateral that it absorbed and that anyone may buy.

Such a sale is planned like a liquidation, with the market's contract in the place of an account, under the
same rules: profit at a market price, funds, batches, waits after failures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session

from keeper.chain.blocks import Head
from keeper.model.valuation import Valuation
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning.breach import Breach, open_episodes
from keeper.service.planning.retry_policy import RetryPolicy
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.rows import update_row
from keeper.store.tables.watching import SALE, Episode

# Seconds of the chain's between two looks at the same goods: what did not pay a moment ago hardly does now.
EVERY_SECONDS = 60


@dataclass
class StoreFront:
    """Finds what markets sell; remembers what was on sale and when, so that nothing new costs no request."""

    chain: ChainContext
    retries: RetryPolicy
    _seen: dict[str, tuple[int, tuple[tuple[str, int], ...]]] = field(default_factory=dict)

    def due(self, market: Market, valued: MarketValuation) -> list[Breach]:
        """The purchase that may be attempted now, if any."""
        seller, head = market.adapter.seller, valued.head
        if seller is None or not valued.acting:
            return []
        goods = tuple(sorted(seller.on_sale(market.book.state).items()))
        if not self._is_new(market.name, head, goods):
            return []
        with self.chain.store.session() as session:
            wanted = self._wanted(session, market, head, bool(goods))
            return self.retries.ready(session, [wanted], head) if wanted else []

    def _is_new(self, market: str, head: Head, goods: tuple[tuple[str, int], ...]) -> bool:
        looked, before = self._seen.get(market, (0, ()))
        if goods == before and (not goods or 0 <= head.timestamp - looked < EVERY_SECONDS):
            return False
        self._seen[market] = (head.timestamp, goods)
        return True

    def _wanted(self, session: Session, market: Market, head: Head, selling: bool) -> Breach | None:
        """With its episode, which lasts as long as the market sells."""
        account = market.adapter.contract.lower()
        known = open_episodes(session, market.name, SALE)
        episode = next((each for each in known if each.account == account), None)
        if not selling:
            if episode is not None:
                update_row(session, episode, closed_block=head.number)
            return None
        if episode is None:
            episode = Episode.begin(market.name, account, SALE, head.number)
            session.add(episode)
            session.flush()
        levels = self.chain.policies.levels(market.name, account)
        return Breach(market, Valuation(account, 0, 0, 0, liquidatable=False), levels, episode, sale=True)
