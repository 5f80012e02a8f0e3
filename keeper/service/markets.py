"""Configured markets built for use: adapter by protocol, book, and whether they may be acted in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keeper.book.book import Book
from keeper.book.entries import Ints
from keeper.book.screening.near_threshold import NearThreshold
from keeper.chain.blocks import Head
from keeper.chain.calls import answers_to
from keeper.chain.pool import NodePool
from keeper.config import LOCAL_CHAIN_IDS, Chain, MarketSettings, Settings
from keeper.model.money import Rate
from keeper.model.purse import Purse
from keeper.model.valuation import Valuation
from keeper.oracles.pull.service import PriceService
from keeper.policy.levels import Owner, Policies
from keeper.protocols.registry import PROTOCOLS
from keeper.protocols.roles.market import MarketRoles
from keeper.service.watching.prices import Pricing
from keeper.service.watching.pulled_prices import PulledPrices
from keeper.store.database import Store

# Each protocol's state and account types are its own; past the registry they are opaque.
Adapter = MarketRoles[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """One deployment of one protocol on one chain: its configuration, and the keeper's copy of it. What is
    remembered from block to block is kept by its loop (`watching.memory`)."""

    name: str
    settings: MarketSettings
    adapter: Adapter
    book: Book[Any, Any, Valuation]
    screen: NearThreshold | None
    """Bounds and price index of the book's columns; None where every account is valued exactly."""
    prices: Pricing | None = None
    """The market's prices; None where the market is only read."""
    pulled: PulledPrices | None = None
    """The signed prices brought to it; None where no price service is configured."""
    neighbours: Sequence[Market] = field(default=(), repr=False)
    """All configured markets, on any chain: one may need another's prices."""

    @property
    def rate(self) -> Rate:
        """What a base unit of the market is worth. Only once the book has been read."""
        return Rate.of(self.adapter.explainer.base_decimals(self.book.state), self.settings.base_price)

    def groups(self, factors: Sequence[int], factor_count: int) -> Ints:
        """The factors grouped by the leaf feed behind their price; an asset without a known feed by
        itself."""
        watched = self.prices.watched if self.prices is not None else {}
        groups = np.zeros(factor_count, np.int32)
        numbers: dict[str, int] = {}
        screener = self.adapter.screener
        assert screener is not None, "who has no factors groups none"
        for factor, asset in zip(factors, screener.factor_assets(self.book.state, factors), strict=True):
            feeds = watched[asset].source.feeds() if asset in watched else ()
            leaf = next((feed.address for feed in feeds), asset)
            groups[factor] = numbers.setdefault(leaf, len(numbers))
        return groups

    def is_strangers(self, asset: str) -> bool:
        """Whether anybody may have made this asset's price source, and the operator has not listed it by
        name."""
        strangers = self.adapter.strangers
        return strangers is not None and strangers.is_strangers(asset)

    def is_trusted_part(self, part: str) -> bool:
        """Whether the operator trusts this part of the market."""
        strangers = self.adapter.strangers
        return strangers is None or strangers.is_trusted_part(self.book.state, part)

    def of(self, owners: Iterable[str]) -> list[str]:
        """All accounts of these owners that the book knows."""
        rows = self.book.rows
        return [rows.account(row) for owner in owners for row in rows.of(owner)]

    def purse(self, head: Head, payer: str, state: Any = None) -> Purse:
        """What a payer holds here at `head`, in a request of its own (the tick reads it with the book), under
        the book's state or this `state`."""
        state, planner = self.book.state if state is None else state, self.adapter.planner
        answers = answers_to(self.book.pool, head, planner.planning_calls(state, [], payer))
        return planner.read_planning(state, [], payer, answers)


def owner_of(settings: Settings) -> Owner:
    """The lookup of an account's owner, by the protocol of its market. Accounts of a market that was taken
    out of the configuration are their own owners."""

    def owner(market: str, account: str) -> str:
        known = settings.markets.get(market)
        return account if known is None else PROTOCOLS[known.protocol].adapter.owner(account)

    return owner


def policies_of(settings: Settings) -> Policies:
    return Policies(settings, owner_of(settings))


def build(
    settings: Settings,
    pools: dict[str, NodePool],
    store: Store | None,
    *,
    read_only: bool = False,
) -> list[Market]:
    """Build all configured markets. `read_only` uses what the store knows, writes nothing and judges no
    prices."""
    everywhere: list[Market] = []
    for name, market in settings.markets.items():
        chain, pool = settings.chains[market.chain], pools[market.chain]
        adapter = _adapter(name, market, chain)
        book: Book[Any, Any, Valuation] = Book(
            adapter, pool, store, chain.log_range, read_only=read_only, workers=chain.parallel_requests
        )
        prices = Pricing(name, market, chain, pool, adapter.mirror.lenses()) if not read_only else None
        screen = NearThreshold(book.columns) if adapter.screener is not None else None
        terms = market.own.price_terms
        service = PriceService(terms.url, terms.max_age, terms.max_confidence) if terms is not None else None
        pulled = PulledPrices(service) if service is not None else None
        everywhere.append(Market(name, market, adapter, book, screen, prices, pulled, everywhere))
    return everywhere


def _adapter(name: str, market: MarketSettings, chain: Chain) -> Adapter:
    is_local = chain.chain_id in LOCAL_CHAIN_IDS
    return PROTOCOLS[market.protocol].adapter.of(name, market, is_local=is_local)


def pools(settings: Settings) -> dict[str, NodePool]:
    return {name: NodePool(name, chain) for name, chain in settings.chains.items()}
