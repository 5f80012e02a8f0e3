"""Pending oracle updates of one chain: what each would change in the markets, and what to plan for it.

An update that waits for a block is simulated with the lenses behind it. The accounts are valued with the
prices that come back, and those that it makes liquidatable are planned and journalled as they would be for a
block. The acting loop bundles them behind the update. None of this affects a block's own decisions: the next
block ends what came to nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from keeper.book.screening.bounds import Screen
from keeper.chain.answers import RpcError
from keeper.chain.backrun import PendingUpdate
from keeper.chain.blocks import Head
from keeper.chain.calls import Call, Lens
from keeper.chain.logs import LogFilter, of_range
from keeper.chain.simulation import After, read_after
from keeper.errors import UnreachableError
from keeper.model.valuation import Valuation
from keeper.oracles.sources import UPDATE_TOPICS
from keeper.policy.levels import is_below
from keeper.service.backrun.ahead import decide_ahead, liquidatable
from keeper.service.backrun.update_ranks import LOOKS, Rank, Transmitters
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import Market
from keeper.service.planning.breach import Breach
from keeper.service.watching.comparison import compare
from keeper.store.tables.watching import Episode

log = structlog.get_logger()

# Transactions that wrote an answer, of which the senders are learnt: so many a block, and at the start.
LEARNT_A_BLOCK = 4
LEARNT_AT_START = 32
# How many blocks of the past are searched for them.
LOOK_BACK = 5_000
# Of those that may fall below 1, so many are valued: the largest debts first.
MOST_ACCOUNTS = 200
# No threshold for liquidations lies above 1; a float above it, whatever its rounding.
_HEALTHY = 1 + 1e-12


@dataclass
class PendingUpdates:
    """Simulates pending updates for one chain's deciding loop; never while that loop works at a block."""

    deciding: ChainLoop
    emitters: frozenset[str] = frozenset()
    transmitters: Transmitters = field(default_factory=Transmitters)
    _seen: set[str] = field(default_factory=set)
    _looks: Counter[Rank] = field(default_factory=Counter)
    _searched: frozenset[str] = frozenset()
    _screens: dict[str, Screen] = field(default_factory=dict)
    _head: Head | None = None

    def follow(self) -> None:
        """Take over from the deciding loop which contracts emit updates; no request is made."""
        known = (market.prices for market in self.deciding.markets if market.prices is not None)
        self.emitters = frozenset(emitter for prices in known for emitter in prices.emitters)

    def learn(self) -> None:
        """Learn, after a block, which senders transmit updates."""
        known = [market.prices for market in self.deciding.markets if market.prices is not None]
        written = [each for prices in known for each in sorted(prices.updated_by) if each]
        try:
            written = [*written[:LEARNT_A_BLOCK], *self._written_lately()]
            for digest in dict.fromkeys(written):
                found = self.deciding.pool.call("eth_getTransactionByHash", digest)
                if found is not None and isinstance(found.get("from"), str):
                    self.transmitters.add(found["from"])
        except (UnreachableError, RpcError) as error:
            log.info("transmitters not learnt", chain=self.deciding.pool.name, why=str(error))

    def _written_lately(self) -> list[str]:
        """Transactions of the past that wrote an answer of feeds which are new here; the latest."""
        fresh, head = self.emitters - self._searched, self.deciding.head
        if not fresh or head is None:
            return []
        self._searched |= fresh
        first = max(head.number - LOOK_BACK, 0)
        wanted = LogFilter(tuple(sorted(fresh)), UPDATE_TOPICS)
        size = self.deciding.settings.chain.log_range
        spans = of_range(self.deciding.pool, first, head.number, wanted, size)
        written = [each.transaction for _, found in spans for each in found if each.transaction]
        return written[-LEARNT_AT_START:]

    def rank(self, update: PendingUpdate) -> Rank:
        """The update's rank among those that wait."""
        if update.sender in self.transmitters:
            return Rank.TRANSMITTER
        return Rank.DIRECT if update.target in self.emitters else Rank.NAMING

    def concerns(self, update: PendingUpdate) -> bool:
        """Whether this may be an update: it calls a contract that logs a feed's answers, or names one (for a
        forwarder to call). Cheap, and safe from any thread."""
        emitters = self.emitters
        return update.target in emitters or any(each[2:] in update.data for each in emitters)

    def look(self, update: PendingUpdate) -> tuple[Head, list[int]] | None:
        """Plan and journal what the update makes possible; returns the head it was simulated on and the
        intents' ids.

        None when there is nothing to do. RpcError from a node without `eth_simulateV1`."""
        head = self.deciding.head
        if head is None or not self._may_look(head, update):
            return None
        wanted = self._wanted(update, head)
        numbers = decide_ahead(self.deciding, head, wanted) if wanted else []
        log.info(
            "pending update",
            chain=self.deciding.pool.name,
            update=update.hash,
            head=head.number,
            liquidatable=len(wanted),
            planned=len(numbers),
        )
        return (head, numbers) if numbers else None

    def _ready(self, market: Market, head: Head) -> bool:
        """Whether the market's numbers may be acted on and are of `head`."""
        halted = self.deciding.memory_of(market).watch_only
        return not halted.reason and market.prices is not None and market.book.head == head

    def _may_look(self, head: Head, update: PendingUpdate) -> bool:
        """Whether this update may be simulated now: once per block, for as long as it waits."""
        if head != self._head:
            self._head = head
            self._seen.clear()
            self._looks.clear()
        rank = self.rank(update)
        if update.hash in self._seen or self._looks[rank] >= LOOKS[rank]:
            return False
        self._seen.add(update.hash)
        self._looks[rank] += 1
        return True

    def _wanted(self, update: PendingUpdate, head: Head) -> list[Breach]:
        """The accounts that the update makes liquidatable, by our numbers and by the contract's own view
        alike."""
        markets = [market for market in self.deciding.markets if self._ready(market, head)]
        after = self._after(update, head, [call for market in markets for call in _calls(market)], markets)
        found: list[Breach] = []
        for market in markets:
            state = market.adapter.mirror.read_market(after.answers[_market_call(market)])
            assets = market.adapter.valuer.priced_assets(state)
            moment = replace(head, number=head.number + 1, timestamp=after.timestamp)
            assert market.prices is not None
            prices = market.prices.after(
                moment, assets, after.answers, market.adapter.explainer.base_decimals(state)
            )
            if (
                prices is None
                or not prices.moved_from(market.prices)
                or market.adapter.valuer.version(state) is None
            ):
                continue
            self.transmitters.add(update.sender)
            silent = {asset.asset for asset in assets if asset.price is None}
            then = replace(market, book=market.book.under(state), prices=prices)
            found += self._below(then, after.timestamp, silent)
        return self._confirmed(update, head, found, after.timestamp)

    def _after(self, update: PendingUpdate, head: Head, calls: list[Call], markets: list[Market]) -> After:
        lenses: tuple[Lens, ...] = tuple(
            dict.fromkeys(lens for market in markets for lens in market.adapter.mirror.lenses())
        )
        timestamp = self.deciding.next_timestamp(head)
        return read_after(self.deciding.pool, head, update, calls, lenses, timestamp)

    def _below(self, market: Market, timestamp: int, silent: set[str]) -> list[Breach]:
        """Accounts that can be liquidated under this state and are not protected."""
        records = {a: r for a in self._near(market, timestamp) if (r := market.book.record(a)) is not None}
        priced = market.adapter.valuer.price_dependencies
        if silent:
            known = market.book.accounts
            records = {a: r for a, r in records.items() if not priced(market.book.state, known[a]) & silent}
        found = []
        for valuation in market.adapter.valuer.value_records(market.book.state, records, timestamp):
            levels = self.deciding.policies.levels(market.name, valuation.account)
            if levels.ignored or levels.protection or not is_below(valuation, levels.liquidate):
                continue
            found.append(Breach(market, valuation, levels, _episode(market, valuation)))
        return found

    def _near(self, market: Market, timestamp: int) -> list[str]:
        """Accounts that bounds leave below 1, the largest requirements first, and accounts without bounds; at
        most MOST_ACCOUNTS of each."""
        book, adapter = market.book, market.adapter
        if adapter.screener is None:
            return list(book.accounts)
        weights = adapter.screener.weights(book.state, timestamp, sorted(book.columns.factors))
        assert weights is not None, "a version that is known has weights"
        screen = self._screens.setdefault(market.name, Screen(book.columns))
        screen.run(weights)
        near = screen.below(_HEALTHY)
        open_rows = liquidatable(self.deciding, market)
        fresh = ~np.isin(near.rows, open_rows)
        rows, required = near.rows[fresh], near.maintenance[fresh]
        if len(rows) > MOST_ACCOUNTS:
            required = required * [
                adapter.explainer.unit_worth(book.state, book.rows.account(int(row))) for row in rows
            ]
        largest = rows[np.argsort(-required, kind="stable")[:MOST_ACCOUNTS]]
        unbounded = sorted(book.columns.unbounded | book.columns.rows_with(weights.unbounded))
        return [book.rows.account(int(row)) for row in dict.fromkeys([*largest, *unbounded[:MOST_ACCOUNTS]])]

    def _confirmed(
        self, update: PendingUpdate, head: Head, wanted: list[Breach], timestamp: int
    ) -> list[Breach]:
        """The breaches without those of markets where any account's own view, read behind the update,
        differs."""
        if not wanted:
            return []
        markets = {w.market.name: w.market for w in wanted}
        calls = [w.market.adapter.auditor.view_call(w.valuation.account) for w in wanted]
        after = self._after(update, head, calls, list(markets.values()))
        if after.timestamp != timestamp:
            return []
        agreed = set()
        for name, market in markets.items():
            own = [w.valuation for w in wanted if w.market.name == name]
            accounts = [valuation.account for valuation in own]
            answers = [after.answers[market.adapter.auditor.view_call(account)] for account in accounts]
            views = market.book.read_views(accounts, answers)
            difference = compare(own, views, set(accounts) - views.keys())
            if difference:
                log.warning("not behind the update", market=name, update=update.hash, why=difference)
            else:
                agreed.add(name)
        return [each for each in wanted if each.market.name in agreed]


def _market_call(market: Market) -> Call:
    return market.adapter.mirror.market_call(market.book.references)


def _calls(market: Market) -> list[Call]:
    """The market's state, and what its prices are judged by."""
    assert market.prices is not None
    return [_market_call(market), *market.prices.extra_reads().calls]


def _episode(market: Market, valuation: Valuation) -> Episode:
    assert market.book.head is not None and valuation.health is not None
    block = market.book.head.number + 1
    return Episode.begin(market.name, valuation.account, "liquidate", block, valuation.health)
