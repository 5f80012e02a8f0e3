"""How much depends on price sources of unknown kind: accounts left alone for want of one setting must be
visible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from keeper.model.valuation import Valuation
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation

# Seconds of block time after which it is counted anew: every account that hangs on them is valued.
COUNTED_EVERY = 3_600


@dataclass(frozen=True, slots=True)
class Hanging:
    """How many accounts with debt depend on a price, what they owe and their collateral, in the unit of
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


class UnknownSources:
    """Counts, at intervals, what depends on a market's sources of unknown kind."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, Mapping[str, Hanging]]] = {}

    def hanging(self, market: Market, valued: MarketValuation) -> Mapping[str, Hanging]:
        """By asset with an unresolved source, what depends on it as last counted; no work where there is
        none."""
        watched = market.prices.watched if market.prices is not None else {}
        unknown = {asset for asset, each in watched.items() if any(each.source.unresolved())}
        if not unknown:
            return {}
        until, found = self._found.get(market.name, (0, {}))
        if unknown != found.keys() or valued.head.timestamp >= until:
            found = _count(market, valued, unknown)
            self._found[market.name] = (valued.head.timestamp + COUNTED_EVERY, found)
        return found


def remedy(market: str) -> str:
    """The setting that trusts such a source."""
    return f'set markets.{market}.unknown_oracles = "act" to trust it'


def _count(market: Market, valued: MarketValuation, unknown: set[str]) -> dict[str, Hanging]:
    adapter, state, accounts = market.adapter, market.book.state, market.book.accounts
    touched: dict[str, frozenset[str]] = {}
    for account in accounts:
        part = market.adapter.part(account)
        if part and part not in unknown:
            continue
        if hangs := adapter.valuer.price_dependencies(state, accounts[account]) & unknown:
            touched[account] = hangs
    found: dict[str, list[Valuation]] = defaultdict(list)
    for valuation in _valued(market, valued, touched):
        if valuation.maintenance:
            for asset in touched[valuation.account]:
                found[asset].append(valuation)
    return {asset: _sum(market, found[asset]) for asset in unknown}


def _valued(market: Market, valued: MarketValuation, accounts: Iterable[str]) -> list[Valuation]:
    if market.adapter.valuer.version(market.book.state) is None:
        return [v for v in valued.valuations if v.account in set(accounts)]
    silent = {
        each.asset for each in market.adapter.valuer.priced_assets(market.book.state) if each.price is None
    }
    records = {
        account: record
        for account in accounts
        if (record := market.book.record(account)) is not None
        and not market.adapter.valuer.price_dependencies(market.book.state, market.book.accounts[account])
        & silent
    }
    return market.adapter.valuer.value_records(market.book.state, records, valued.head.timestamp)


def _sum(market: Market, valuations: list[Valuation]) -> Hanging:
    debt = collateral = Decimal(0)
    for each in valuations:
        scale = -market.adapter.explainer.decimals(market.book.state, each.account)
        debt += Decimal(each.maintenance).scaleb(scale)
        collateral += Decimal(each.net + each.maintenance).scaleb(scale)
    price = market.settings.base_price
    return Hanging(len(valuations), debt * price, collateral * price)
