"""Our own numbers of a market's accounts: of all, or of those that screening and the sample choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import structlog

from keeper.book.screening.bounds import HealthBounds
from keeper.model.valuation import Valuation
from keeper.protocols.roles.market import PricedAsset
from keeper.service.markets import Market
from keeper.service.watching import selection
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.selection import NO_ROWS, Selected, Watch

log = structlog.get_logger()


def without_suspended(
    market: Market, valued: MarketValuation, suspended: Mapping[str, str]
) -> MarketValuation:
    """Move accounts in suspended parts from the valuations to the unvaluable, with the reason."""
    if not suspended:
        return valued
    parts = ((account, market.adapter.part(account)) for account in market.book.accounts)
    why = {account: suspended[part] for account, part in parts if part in suspended}
    kept = [v for v in valued.valuations if v.account not in why]
    return replace(valued, valuations=kept, unvaluable={**why, **valued.unvaluable})


def own_numbers(
    market: Market,
    at: MarketValuation,
    watch: Watch,
    next_timestamp: int | None,
    views: Iterable[str],
) -> tuple[MarketValuation, Mapping[str, str]]:
    """Our own numbers: of all accounts, or of those that screening and the sample choose; and the parts of
    the market that no arithmetic takes, with the reason."""
    state, book, adapter, head = market.book.state, market.book, market.adapter, at.head
    near = None if watch.everything else _bounds(market, watch, head.timestamp, next_timestamp)
    if near is None:
        chosen = records_of(market, book.accounts, at)
        own, failed = exact_valuations(market, chosen, head.timestamp)
        nearest = [v.account for v in sorted(own, key=_nearness)[: selection.FOLLOWED]]
        selected, growth = Selected(NO_ROWS, NO_ROWS), selection.FAR
    else:
        bounds, unbounded, growth = near
        selected = selection.select(
            book, bounds, unbounded, watch, lambda account: adapter.explainer.unit_worth(state, account)
        )
        accounts = dict.fromkeys([*_accounts(market, selected.rows), *views])
        chosen = records_of(market, accounts, at)
        own, failed = exact_valuations(market, chosen, head.timestamp)
        nearest = _accounts(market, selected.nearest)
    coming, also = _next_block(market, chosen, own, watch, growth, next_timestamp)
    valued = replace(
        at,
        valuations=own,
        memory=replace(at.memory, nearest=tuple(nearest)),
        below_unvalued=selected.below_unvalued,
        undecided=selected.undecided,
        next_block=coming,
    )
    return valued, {**also, **failed}


def _bounds(
    market: Market, watch: Watch, timestamp: int, next_timestamp: int | None
) -> tuple[HealthBounds, Iterable[int], float] | None:
    """Bounds of the accounts that may be below a threshold, the rows that have none, and the ratio above a
    level within which a health may fall below it by the next block. None where every account is valued."""
    state, book, adapter = market.book.state, market.book, market.adapter
    times = [timestamp, next_timestamp or timestamp]
    if adapter.scenario_screener is not None:
        if len(book.rows) < selection.SCENARIOS_FROM:
            return None
        return adapter.scenario_screener.health_bounds(state, book.rows.records, times), (), selection.FAR
    screen, screener = market.screen, adapter.screener
    if screen is None or screener is None:
        return None
    factors = sorted(book.columns.factors)
    now, then = (screener.weights(state, each, factors) for each in times)
    assert now is not None and then is not None, "a version that is known has weights"
    now = replace(now, drift=selection.drift(now, then))
    growth = selection.growth(now.drift, signed=book.columns.signed)
    groups = market.groups(factors, len(now.equity))
    near = screen.near(now, book.take_changed(), selection.thresholds(watch), groups)
    return near, book.columns.unbounded | book.columns.rows_with(now.unbounded), growth


def exact_valuations(
    market: Market, records: Mapping[str, bytes], timestamp: int
) -> tuple[list[Valuation], Mapping[str, str]]:
    """Exact values, and the parts of the market whose numbers our arithmetic rejects; the others go on."""
    state, adapter = market.book.state, market.adapter
    try:
        return adapter.valuer.value_records(state, records, timestamp), {}
    except Exception:
        parts: dict[str, dict[str, bytes]] = {}
        for account, record in records.items():
            parts.setdefault(adapter.part(account), {})[account] = record
        if len(parts) < 2 and "" in parts:
            raise
    found: list[Valuation] = []
    failed: dict[str, str] = {}
    for part, some in parts.items():
        try:
            found += adapter.valuer.value_records(state, some, timestamp)
        except Exception as error:
            if not part:
                raise
            log.error("part cannot be valued", market=market.name, part=part, exc_info=error)
            failed[part] = f"its numbers cannot be valued: {error!r}"
    return found, failed


def _next_block(
    market: Market,
    chosen: Mapping[str, bytes],
    own: Sequence[Valuation],
    watch: Watch,
    growth: float,
    next_timestamp: int | None,
) -> tuple[dict[str, Valuation], Mapping[str, str]]:
    """Valuations at the next block's time of those whom time alone may take below a threshold until then."""
    if next_timestamp is None:
        return {}, {}
    spans = [(level, int(level * growth) + 1) for level in watch.levels.values()]
    raws = {
        v.account: chosen[v.account]
        for v in own
        if (health := v.health) is not None
        and (any(a <= health <= b for a, b in spans) or market.adapter.owner(v.account) in watch.special)
    }
    later, failed = exact_valuations(market, raws, next_timestamp)
    return {v.account: v for v in later}, failed


def records_of(market: Market, accounts: Iterable[str], valued: MarketValuation) -> dict[str, bytes]:
    """Records of those accounts that the book knows and the contract can value."""
    found = {a: market.book.record(a) for a in accounts if a not in valued.unvaluable}
    return {account: record for account, record in found.items() if record is not None}


def _accounts(market: Market, rows: Iterable[np.int64]) -> list[str]:
    return [market.book.rows.account(int(row)) for row in rows]


def _nearness(valuation: Valuation) -> tuple[bool, int]:
    return valuation.health is None, valuation.health or 0


def unvaluable_accounts(market: Market, assets: Sequence[PricedAsset]) -> dict[str, str]:
    """Accounts for which the contract needs a price that its oracle does not give."""
    silent = {each.asset for each in assets if each.price is None}
    if not silent:
        return {}
    why = {asset: _silence(market, asset) for asset in silent}
    found = {}
    accounts = market.book.accounts
    for account in accounts:
        # Strangers' markets are silent at most blocks: whoever is in another need not be looked at.
        if (part := market.adapter.part(account)) and part not in silent:
            continue
        missing = market.adapter.valuer.price_dependencies(market.book.state, accounts[account]) & silent
        if missing:
            found[account] = "; ".join(why[asset] for asset in sorted(missing))
    return found


def _silence(market: Market, asset: str) -> str:
    verdict = market.prices.judgements.get(asset) if market.prices is not None else None
    name = market.prices.symbols.get(asset, asset) if market.prices is not None else asset
    return f"{name} has no price: {verdict.closed}" if verdict else f"{name} has no price"


def by_views(market: Market, valued: MarketValuation) -> MarketValuation:
    """The market valued by the contract's own numbers instead of ours."""
    views = market.book.views(valued.head, list(market.book.accounts))
    unvaluable = {
        a: valued.unvaluable.get(a, "the contract's own view reverts")
        for a in market.book.accounts
        if a not in views
    }
    own = list(views.values())
    return replace(valued, valuations=own, unvaluable=unvaluable, below_unvalued=0, next_block={})
