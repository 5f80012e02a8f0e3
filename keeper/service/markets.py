"""Configured markets brought to life: adapter by protocol, book, and whether they may be acted in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from keeper.book.book import Book
from keeper.book.entries import Ints
from keeper.book.screening.near_threshold import NearThreshold
from keeper.chain.calls import Call
from keeper.chain.pool import NodePool
from keeper.config import LOCAL_CHAIN_IDS, Chain, MarketSettings, Settings
from keeper.model.money import Rate
from keeper.model.valuation import Valuation
from keeper.policy.levels import Owner, Policies
from keeper.protocols.aave_v3.market import AaveV3Market
from keeper.protocols.base import MarketAdapter
from keeper.protocols.compound_v3.market import CometMarket
from keeper.protocols.liquity.market import TroveMarket
from keeper.protocols.morpho_blue.market import MorphoBlueMarket
from keeper.service.watching.prices import Pricing
from keeper.store.database import Store

# Accounts compared with the contract's own view before a market may be acted in.
START_SAMPLE = 64
# Seconds of block time until a market that was stopped is tried again; doubled after each failed try.
FIRST_RETRY, LAST_RETRY = 60, 3_600

Known = type[AaveV3Market] | type[CometMarket] | type[MorphoBlueMarket] | type[TroveMarket]
PROTOCOLS: dict[str, Known] = {
    "aave-v3": AaveV3Market,
    "compound-v3": CometMarket,
    "liquity": TroveMarket,
    "morpho-blue": MorphoBlueMarket,
}
"""The one place where protocols are listed."""

# Each protocol's state and account types are its own; past this table they are opaque.
Adapter = MarketAdapter[Any, Any]


@dataclass(frozen=True, slots=True)
class Hanging:
    """Accounts with debt that a price decides over, what they owe and what stands for it, in the unit of
    account."""

    accounts: int = 0
    debt: Decimal = Decimal(0)
    collateral: Decimal = Decimal(0)

    @property
    def words(self) -> str:
        if not self.accounts:
            return "no debt hangs on it"
        debt, collateral = f"{self.debt:,.2f}", f"{self.collateral:,.2f}"
        return f"{debt} of debt and {collateral} of collateral in {self.accounts} accounts hang on it"


@dataclass(slots=True)
class Market:
    """A market while the keeper runs. `stopped` says why it is watched only; empty when it may act."""

    name: str
    settings: MarketSettings
    adapter: Adapter
    book: Book[Any, Any, Valuation]
    stopped: str = ""
    suspended: dict[str, str] = field(default_factory=dict)
    """Parts of the market (see `BookSource.part`) that are not acted in, with the reason: what one part's
    maker does is no other part's trouble."""
    retry_at: int = 0
    """Block time from which a stopped market or part is compared anew."""
    retry_wait: int = 0
    valuations: list[Valuation] = field(default_factory=list)
    turn: int = 0
    nearest: list[str] = field(default_factory=list)
    """Accounts with the lowest healths at the last block, the lowest first."""
    progress: Callable[[int], None] | None = None
    """Hears the last block covered while a long scan is under way."""
    along: Sequence[Call] = ()
    """Further calls to be read with the book at the next block."""
    prices: Pricing | None = None
    """Set where prices are judged; reading a market alone needs none."""
    neighbours: Sequence[Market] = field(default=(), compare=False, repr=False)
    """All configured markets, on whatever chain: what one of them prices another may need."""
    hanging: Mapping[str, Hanging] = field(default_factory=dict)
    """What hangs on assets with a source of unknown kind, as it was counted last."""
    hanging_until: int = 0
    _standing: NearThreshold | None = None

    def stop(self, reason: str, timestamp: int) -> None:
        """Act in this market no more, until it is compared anew and agrees. The first reason stays."""
        self.stopped = self.stopped or reason
        self._retry_later(timestamp)

    def suspend(self, part: str, reason: str, timestamp: int) -> None:
        """The same for one part of the market."""
        self.suspended.setdefault(part, reason)
        self._retry_later(timestamp)

    def is_retry_due(self, timestamp: int) -> bool:
        """Whether what was stopped is to be compared anew now."""
        return bool(self.stopped or self.suspended) and timestamp >= self.retry_at

    def try_again(self) -> None:
        """Take back what was stopped: the comparison that follows says whether it stays so."""
        self.stopped = ""
        self.suspended.clear()

    def _retry_later(self, timestamp: int) -> None:
        if timestamp >= self.retry_at:
            if timestamp > self.retry_at + LAST_RETRY:
                self.retry_wait = 0
            self.retry_wait = min(2 * self.retry_wait or FIRST_RETRY, LAST_RETRY)
            self.retry_at = timestamp + self.retry_wait

    @property
    def rate(self) -> Rate:
        """What a base unit of the market is worth. Only once the book has been read."""
        return Rate.of(self.adapter.base_decimals(self.book.state), self.settings.base_price)

    @property
    def standing(self) -> NearThreshold:
        """Screen and price index of the book's columns."""
        if self._standing is None:
            self._standing = NearThreshold(self.book.columns)
        return self._standing

    def groups(self, legs: Sequence[int], leg_count: int) -> Ints:
        """Legs grouped by the leaf feed behind their price; each asset by itself where none is known."""
        watched = self.prices.watched if self.prices is not None else {}
        groups = np.zeros(leg_count, np.int32)
        numbers: dict[str, int] = {}
        screener = self.adapter.screener
        assert screener is not None, "who has no legs groups none"
        for leg, asset in zip(legs, screener.leg_assets(self.book.state, legs), strict=True):
            feeds = watched[asset].source.feeds() if asset in watched else ()
            leaf = next((feed.address for feed in feeds), asset)
            groups[leg] = numbers.setdefault(leaf, len(numbers))
        return groups

    def of(self, owners: Iterable[str]) -> list[str]:
        """All accounts of these owners that the book knows."""
        rows = self.book.rows
        return [rows.account(row) for owner in owners for row in rows.of(owner)]

    def sample(self, protected: Sequence[str]) -> list[str]:
        """Accounts to audit at this block: the protected, the nearest to 1, the next in turn."""
        size = self.settings.audit_sample
        chosen = dict.fromkeys(self.of(protected))
        chosen.update(dict.fromkeys(self.nearest[: size // 2]))
        everyone = len(self.book.rows)
        for step in range(min(size - size // 2, everyone)):
            chosen[self.book.rows.account((self.turn + step) % everyone)] = None
        self.turn += size - size // 2
        return list(chosen)


def first_sample(accounts: Iterable[str]) -> list[str]:
    """Accounts compared at the start, spread evenly over all."""
    ordered = sorted(accounts)
    stride = max(len(ordered) // START_SAMPLE, 1)
    return ordered[::stride][:START_SAMPLE]


def owner_of(settings: Settings) -> Owner:
    """Whose account it is, by the protocol of the market it is in. A market that was taken out of the
    configuration has accounts that are their own owners."""

    def owner(market: str, account: str) -> str:
        known = settings.markets.get(market)
        return account if known is None else PROTOCOLS[known.protocol].owner(account)

    return owner


def policies_of(settings: Settings) -> Policies:
    return Policies(settings, owner_of(settings))


def build(
    settings: Settings, pools: dict[str, NodePool], store: Store | None, *, read_only: bool = False
) -> list[Market]:
    """All configured markets. `read_only` uses what the store knows and writes nothing."""
    runs = [
        Market(
            name,
            market,
            adapter := _adapter(name, market, settings.chains[market.chain]),
            Book(
                adapter,
                pools[market.chain],
                store,
                settings.chains[market.chain].log_range,
                read_only=read_only,
                workers=settings.chains[market.chain].parallel_requests,
            ),
        )
        for name, market in settings.markets.items()
    ]
    for run in runs:
        run.neighbours = runs
    return runs


def _adapter(name: str, market: MarketSettings, chain: Chain) -> Adapter:
    unlisted = market.unlisted or ("act" if chain.chain_id in LOCAL_CHAIN_IDS else "watch")
    known = market.model_copy(update={"unlisted": unlisted})
    adapter: Adapter = PROTOCOLS[market.protocol].of(name, known)
    return adapter


def pools(settings: Settings) -> dict[str, NodePool]:
    return {name: NodePool(name, chain) for name, chain in settings.chains.items()}
