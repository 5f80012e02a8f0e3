"""How much hangs on price sources of unknown kind: what is out of reach for want of a word must be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from keeper.model.valuation import Valuation
from keeper.service.markets import Hanging, Market

# Seconds of block time after which it is counted anew: every account that hangs on them is valued.
COUNTED_EVERY = 3_600


def hanging(run: Market, timestamp: int) -> Mapping[str, Hanging]:
    """By asset with an unresolved source, as it was counted last; nothing is done where there is none."""
    if run.prices is None:
        return {}
    unknown = {asset for asset, each in run.prices.watched.items() if any(each.source.unresolved())}
    if not unknown:
        return {}
    if unknown != run.hanging.keys() or timestamp >= run.hanging_until:
        run.hanging = _count(run, unknown, timestamp)
        run.hanging_until = timestamp + COUNTED_EVERY
    return run.hanging


def remedy(market: str) -> str:
    """What to set where such a source is to be trusted."""
    return f'set markets.{market}.unresolved = "act" to trust it'


def _count(run: Market, unknown: set[str], timestamp: int) -> dict[str, Hanging]:
    adapter, state, accounts = run.adapter, run.book.state, run.book.accounts
    touched: dict[str, frozenset[str]] = {}
    for account in accounts:
        part = run.adapter.part(account)
        if part and part not in unknown:
            continue
        if hangs := adapter.price_dependencies(state, accounts[account]) & unknown:
            touched[account] = hangs
    found: dict[str, list[Valuation]] = defaultdict(list)
    for valuation in _valued(run, touched, timestamp):
        if valuation.maintenance:
            for asset in touched[valuation.account]:
                found[asset].append(valuation)
    return {asset: _sum(run, found[asset]) for asset in unknown}


def _valued(run: Market, accounts: Iterable[str], timestamp: int) -> list[Valuation]:
    if run.adapter.version(run.book.state) is None:
        return [v for v in run.valuations if v.account in set(accounts)]
    silent = {each.asset for each in run.adapter.priced_assets(run.book.state) if each.price is None}
    records = {
        account: record
        for account in accounts
        if (record := run.book.record(account)) is not None
        and not run.adapter.price_dependencies(run.book.state, run.book.accounts[account]) & silent
    }
    return run.adapter.value_records(run.book.state, records, timestamp)


def _sum(run: Market, valuations: list[Valuation]) -> Hanging:
    debt = collateral = Decimal(0)
    for each in valuations:
        scale = -run.adapter.decimals(run.book.state, each.account)
        debt += Decimal(each.maintenance).scaleb(scale)
        collateral += Decimal(each.net + each.maintenance).scaleb(scale)
    price = run.settings.base_price
    return Hanging(len(valuations), debt * price, collateral * price)
