"""Upkeep: rewarded work on accounts that anybody may do besides liquidations, as settling a waiting order.

It is planned like a liquidation: profit after gas, funds, waits after failures. Accounts that we protect are
served whatever it earns. None of it puts an account in danger, so nobody is alerted where it does not pay.
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


Window = tuple[int, int]
"""Unix times from which and until which something can be done."""


@dataclass
class UpkeepDesk:
    """Finds the accounts that need work and when it can be done; only accounts whose record changed are
    looked at again."""

    chain: ChainContext
    retries: RetryPolicy
    _windows: dict[str, dict[str, Window]] = field(default_factory=dict)
    """By market and account; windows that are over are dropped."""
    _noted: dict[str, set[str]] = field(default_factory=dict)
    """By market, the accounts with an open episode: where no work is due, the store need not be read."""

    def due(self, market: Market, valued: MarketValuation) -> list[Breach]:
        """The work that may be done now."""
        windows = self.look(market, valued)
        if not valued.acting:
            return []
        # In the next block at the earliest: a delay that ends then has ended.
        at = valued.head.timestamp + 1
        open_now = [account for account, (opens, closes) in windows.items() if opens <= at <= closes]
        if not open_now and self._noted.get(market.name, set() if not windows else None) == set():
            return []
        with self.chain.store.session() as session:
            wanted = self._wanted(session, market, valued.head.number, open_now)
            return self.retries.ready(session, wanted, valued.head) if wanted else []

    def forget(self, market: str) -> None:
        """Forget a market's windows after a block that was not looked at: all accounts are looked at
        again."""
        self._windows.pop(market, None)

    def look(self, market: Market, valued: MarketValuation) -> dict[str, Window]:
        """When each account's work can be done. Call it at every block, whether anybody acts or not."""
        upkeep, rows, refresh = market.adapter.upkeep, market.book.rows, valued.refresh
        if upkeep is None:
            return {}
        known, changed = self._windows.get(market.name), set[str]()
        if known is None or refresh is None or refresh.rebuilt or refresh.reorganised:
            known = self._windows[market.name] = {}
            changed = {rows.account(row) for row, each in enumerate(rows.records) if upkeep.has_work(each)}
        for account in changed.union(refresh.touched if refresh is not None else ()):
            record = market.book.record(account)
            working = bool(record) and upkeep.has_work(record or b"")
            raw = market.book.accounts[account] if working else None
            window = upkeep.window(market.book.state, raw) if raw is not None else None
            if window is None or window[1] < valued.head.timestamp:
                known.pop(account, None)
            else:
                known[account] = window
        for account in [each for each, (_, closes) in known.items() if closes < valued.head.timestamp]:
            del known[account]
        return known

    def _wanted(self, session: Session, market: Market, block: int, open_now: list[str]) -> list[Breach]:
        """The work whose turn it is, each with its episode, which lasts as long as the work can be done."""
        episodes = {each.account: each for each in open_episodes(session, market.name, UPKEEP)}
        for account in episodes.keys() - set(open_now):
            update_row(session, episodes.pop(account), closed_block=block)
        found = []
        levels_of = {each: self.chain.policies.levels(market.name, each) for each in open_now}
        ours = [each for each in open_now if levels_of[each].protection is not None]
        others = [each for each in open_now if levels_of[each].protection is None]
        for account in [*ours, *_some(others, block, max(MOST_AT_ONCE - len(ours), 1))]:
            levels = levels_of[account]
            if levels.ignored:
                continue
            episode = episodes.get(account)
            if episode is None:
                episode = episodes[account] = Episode.begin(market.name, account, UPKEEP, block)
                session.add(episode)
                session.flush()
            nothing = Valuation(account, 0, 0, 0, liquidatable=False)
            found.append(Breach(market, nothing, levels, episode, upkeep=True))
        self._noted[market.name] = set(episodes)
        return found


def _some(ready: list[str], block: int, most: int) -> list[str]:
    """At most `most` accounts per block, in turn where there are more."""
    if len(ready) <= most:
        return ready
    turn = block * most % len(ready)
    return [*ready[turn:], *ready[:turn]][:most]
