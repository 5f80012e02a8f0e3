"""Refresh, value, compare: a chain's markets brought to a block, and whether their numbers may be acted
on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from keeper.book.book import Refresh, Sample
from keeper.book.reads import Reader
from keeper.book.refresh import RefreshRequest, refresh_together
from keeper.book.source import NOTHING_ELSE
from keeper.chain.answers import NodeError, RpcError
from keeper.chain.blocks import Head
from keeper.chain.calls import OUTCOMES
from keeper.errors import ConfigError
from keeper.model.valuation import Valuation
from keeper.service.markets import Market
from keeper.service.watching.comparison import differences
from keeper.service.watching.market_valuation import MarketRequest, MarketValuation
from keeper.service.watching.memory import BLANK, MarketMemory, WatchOnly
from keeper.service.watching.own_numbers import (
    by_views,
    own_numbers,
    unvaluable_accounts,
    without_suspended,
)
from keeper.service.watching.price_prelude import behind, prelude_of
from keeper.service.watching.selection import first_sample, next_sample

log = structlog.get_logger()

# Accounts that are read again within a block which contradicts its own events.
READ_AT_ONCE = 2_000


def value(
    market: Market, head: Head, progress: Callable[[int], None] | None = None, memory: MarketMemory = BLANK
) -> MarketValuation:
    """Value one market alone, every account exactly, behind the signed prices that it asks for: see
    `value_together`. Later reads at this block are made at the valuation's head."""
    head = behind(head, prelude_of(market, head))
    reader = Reader(market.book.pool, market.book.workers)
    [valued] = value_together(reader, head, [MarketRequest(market, memory, progress=progress)])
    if isinstance(valued, Exception):
        raise valued
    return valued


def value_together(
    reader: Reader, head: Head, asked: Sequence[MarketRequest], next_timestamp: int | None = None
) -> list[MarketValuation | Exception]:
    """Bring the markets' books to `head` together, value exactly what matters, and compare a sample with the
    contract. Results are in order; an exception is that market's alone.

    A revision without known arithmetic or a single difference stops acting in a market: it is then watched
    through the contract's own view until an upgrade or a retry passes the comparison again. The first reason
    stays, so that it is alerted once.
    """
    outcomes: dict[str, MarketValuation | Exception] = {}
    visits: dict[str, _MarketVisit] = {}
    for each in asked:
        try:
            visits[each.market.name] = _visit(each, head)
        except Exception as error:  # noqa: BLE001  (one market's fault is that market's alone)
            outcomes[each.market.name] = _markets_own(error, was_read=each.market.book.was_read)
    refreshed = refresh_together(reader, head, [visit.refresh for visit in visits.values()])
    for visit, refresh in zip(visits.values(), refreshed, strict=True):
        name = visit.asked.market.name
        if isinstance(refresh, Exception):
            outcomes[name] = refresh
            continue
        try:
            outcomes[name] = _value(visit, head, refresh, next_timestamp)
        except Exception as error:  # noqa: BLE001
            outcomes[name] = _markets_own(error, was_read=visit.was_read)
    return [outcomes[each.market.name] for each in asked]


@dataclass(frozen=True, slots=True)
class _MarketVisit:
    """One market on its way to a block. `first`: its book was read at no block yet."""

    asked: MarketRequest
    refresh: RefreshRequest
    turn: int
    first: bool
    was_read: bool


def _markets_own(error: Exception, *, was_read: bool) -> Exception:
    """The error as one market's own; raised where the configuration is at fault as far as is known."""
    if isinstance(error, ConfigError) and not was_read:
        raise error
    return error


def _visit(asked: MarketRequest, head: Head) -> _MarketVisit:
    market, memory = asked.market, asked.memory
    _require_begun(market, head)
    extra = market.prices.extra_reads() if market.prices is not None else NOTHING_ELSE
    brought = (OUTCOMES,) if market.pulled is not None and head.prelude else ()
    extra = replace(extra, calls=(*extra.calls, *asked.extra, *brought))
    first, turn = market.book.head is None, memory.turn
    sample: Sample = first_sample
    if not first:
        sample, turn = next_sample(market, memory, asked.protected)
    return _MarketVisit(
        asked, RefreshRequest(market.book, sample, asked.progress, extra), turn, first, market.book.was_read
    )


def _require_begun(market: Market, head: Head) -> None:
    """Raise ConfigError where no block that could name an account has come: every account would stay
    unseen."""
    first = market.settings.from_block
    if market.book.head is None and first > head.number:
        raise ConfigError(
            f"accounts are looked for from block {first} on, and the chain is at {head.number} only",
            where=f"markets.{market.name}.from_block",
            remedy="Set the block in which the market was created, or leave it out",
        )


def _value(
    visit: _MarketVisit, head: Head, refresh: Refresh[Valuation], next_timestamp: int | None
) -> MarketValuation:
    market, memory = visit.asked.market, replace(visit.asked.memory, turn=visit.turn)
    before = halted = memory.watch_only
    views, reverted = refresh.views, refresh.reverted
    if market.pulled is not None and OUTCOMES in refresh.answers:
        market.pulled.learn(head, refresh.answers[OUTCOMES])
    if not visit.first and (refresh.silent or refresh.unbalanced):
        _heal(market, head)
    if refresh.upgraded and not visit.first:
        # On top of the block's own sample, which has the protected and those nearest to 1.
        views = {**views, **market.book.views(head, first_sample(market.book.accounts))}
    state, adapter = market.book.state, market.adapter
    assets = adapter.valuer.priced_assets(state)
    if market.prices is not None:
        market.prices.observe(head, refresh, assets, adapter.explainer.base_decimals(state))
    unvaluable = unvaluable_accounts(market, assets)
    due = halted.is_retry_due(head.timestamp) or bool(halted.reason and _is_upgrade(refresh))
    if due:
        more = _read_anew(market, head, refresh, memory)
        views, reverted = {**views, **more}, reverted - more.keys()
    valued = MarketValuation(
        head, [], memory, unvaluable=unvaluable, accounts=len(market.book.rows), refresh=refresh
    )
    if adapter.valuer.version(state) is None:
        reason = f"revision {adapter.valuer.revision(state)} of {adapter.protocol} has no known arithmetic"
        halted = halted.stop(reason, head.timestamp)
    else:
        if due:
            halted = halted.lifted()
        # What reverts among many may have been starved by others.
        alone = market.book.views(head, sorted(reverted - unvaluable.keys()))
        views, reverted = {**views, **alone}, reverted - unvaluable.keys() - alone.keys()
        valued, failed = own_numbers(market, valued, visit.asked.watch, next_timestamp, views)
        halted = compared(market, halted.suspend(failed, head.timestamp), valued, views, reverted)
        valued = without_suspended(market, valued, halted.parts)
    if halted.reason and halted.reason != before.reason:
        log.error("watch only", market=market.name, block=head.number, why=halted.reason)
    if halted.reason:
        valued = by_views(market, valued)
    return replace(
        valued,
        memory=replace(valued.memory, watch_only=halted),
        newly_stopped="" if before.reason else halted.reason,
        newly_suspended={part: why for part, why in halted.parts.items() if part not in before.parts},
        resumed=_resumed(before, halted),
        retried=_retried(before, halted) if due else "",
    )


def _heal(market: Market, head: Head) -> None:
    """Read all accounts again at once where an event of this block was withheld, as others may have been: no
    account is to be valued by a stale record. Where that takes many calls the next block does it."""
    if len(market.book.rows) > READ_AT_ONCE:
        return
    try:
        changed = market.book.read_again(head, list(market.book.accounts))
    except (NodeError, RpcError) as error:
        # The next block reads them, and nobody is acted on without the contract's own view.
        log.warning("not read again", market=market.name, block=head.number, error=str(error))
    else:
        log.info("read again", market=market.name, block=head.number, changed=len(changed))


def compared(
    market: Market,
    halted: WatchOnly,
    valued: MarketValuation,
    views: Mapping[str, Valuation],
    reverted: Iterable[str],
) -> WatchOnly:
    """What may be acted in after comparing our numbers with the contract's: a difference stops the market, or
    the part of it that the account is in."""
    found = differences(valued.valuations, views, reverted)
    parts = {part: why for account, why in found.items() if (part := market.adapter.part(account))}
    whole = next((why for account, why in found.items() if not market.adapter.part(account)), "")
    halted = halted.suspend(parts, valued.head.timestamp)
    return halted.stop(whole, valued.head.timestamp) if whole else halted


def _is_upgrade(refresh: Refresh[Valuation]) -> bool:
    return refresh.upgraded and not refresh.reorganised


def _read_anew(
    market: Market, head: Head, refresh: Refresh[Valuation], memory: MarketMemory
) -> dict[str, Valuation]:
    """A large sample's own views for a stopped market, its records read again: they may have been stale."""
    everyone = [*refresh.views, *refresh.reverted, *memory.nearest, *first_sample(market.book.accounts)]
    accounts = [a for a in dict.fromkeys(everyone) if market.book.record(a) is not None]
    if market.book.read_again(head, accounts):
        market.book.read_all_next()
    return market.book.views(head, accounts)


def _resumed(before: WatchOnly, now: WatchOnly) -> tuple[str, ...]:
    over = [f"{part}: {why}" for part, why in before.parts.items() if part not in now.parts]
    return (*([before.reason] if before.reason and not now.reason else []), *over)


def _retried(before: WatchOnly, now: WatchOnly) -> str:
    if not (before.reason and now.reason) and not (before.parts and now.parts):
        return ""
    why = now.reason or next(iter(now.parts.values()))
    return f"{why}; tried again in {now.retry_wait} s"
