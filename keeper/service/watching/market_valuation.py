"""Refresh, value, audit: a chain's markets brought to a block, with numbers that may be acted on or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from keeper.book.book import Refresh
from keeper.book.reads import Reader
from keeper.book.refresh import RefreshRequest, refresh_together
from keeper.book.source import ExtraReads
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call
from keeper.errors import ConfigError
from keeper.model.valuation import Valuation
from keeper.service.markets import Market, first_sample
from keeper.service.watching import selection
from keeper.service.watching.comparison import differences
from keeper.service.watching.selection import EVERYTHING, Watch
from keeper.service.watching.unvaluable import unvaluable_accounts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MarketValuation:
    """A market at a block. `acting` False: the numbers are the contract's own and nothing is sent.

    `valuations` are exact: of every account, or of those that matter to what is watched; `accounts` is how
    many the market has, `below_unvalued` how many more are certainly below a threshold, which no one asks
    after. `next_block`: valuations at its time of accounts that time alone may take below one until then.
    `unvaluable` are accounts that the contract itself cannot value at this block, with the reason; they have
    no valuation, and the others go on. `along` is what the run wanted read with the book, `refresh` says what
    else was noticed."""

    head: Head
    valuations: list[Valuation]
    acting: bool
    newly_stopped: str = ""
    newly_suspended: Mapping[str, str] = field(default_factory=dict)
    resumed: tuple[str, ...] = ()
    """What was stopped or suspended until this block, and why: it was tried again and agrees."""
    retried: str = ""
    """Why what was tried again at this block stays stopped, and when the next try is."""
    unvaluable: dict[str, str] = field(default_factory=dict)
    accounts: int = 0
    below_unvalued: int = 0
    undecided: int = 0
    next_block: dict[str, Valuation] = field(default_factory=dict)
    along: Mapping[Call, Answer] = field(default_factory=dict)
    refresh: Refresh[Valuation] | None = None


def value(run: Market, head: Head, protected: Sequence[str] = ()) -> MarketValuation:
    """One market alone, every account exactly: see `value_together`."""
    reader = Reader(run.book.pool, run.book.workers)
    [at] = value_together(reader, [run], head, {run.name: protected}, {})
    if isinstance(at, Exception):
        raise at
    return at


def value_together(
    reader: Reader,
    runs: Sequence[Market],
    head: Head,
    protected: Mapping[str, Sequence[str]],
    watches: Mapping[str, Watch],
    next_timestamp: int | None = None,
) -> list[MarketValuation | Exception]:
    """Bring the markets' books to `head` together, value what matters exactly, and compare a sample with the
    contract. In order; an exception is that market's alone.

    A revision without known arithmetic or a single difference stops acting in a market: it is then watched
    through the contract's own view until an upgrade or a restart passes the comparison again. The reason
    stays the one it was stopped for, so that it is told once.
    """
    outcomes: dict[str, MarketValuation | Exception] = {}
    asks: dict[str, RefreshRequest] = {}
    for run in runs:
        try:
            asks[run.name] = _ask(run, head, protected.get(run.name, ()))
        except Exception as error:  # noqa: BLE001  (one market's fault is that market's alone)
            outcomes[run.name] = _markets_own(run, error)
    starting = {run.name: run.book.head is None for run in runs}
    was_read = {run.name: run.book.was_read for run in runs}
    found = dict(zip(asks, refresh_together(reader, head, list(asks.values())), strict=True))
    for run in runs:
        refresh = found.get(run.name)
        if isinstance(refresh, Exception):
            outcomes[run.name] = refresh
        elif refresh is not None:
            try:
                watch = watches.get(run.name, EVERYTHING)
                first = starting[run.name]
                outcomes[run.name] = _value(run, head, refresh, watch, next_timestamp, first=first)
            except ConfigError as error:
                if not was_read[run.name]:
                    raise
                outcomes[run.name] = error
            except Exception as error:  # noqa: BLE001
                outcomes[run.name] = error
    return [outcomes[run.name] for run in runs]


def _markets_own(run: Market, error: Exception) -> Exception:
    """The error as one market's; raised where the configuration is at fault for all that is known."""
    if isinstance(error, ConfigError) and not run.book.was_read:
        raise error
    return error


def _ask(run: Market, head: Head, protected: Sequence[str]) -> RefreshRequest:
    _require_begun(run, head)
    riders = run.prices.riders() if run.prices is not None else ExtraReads()
    run.book.riders = replace(riders, calls=(*riders.calls, *run.along))
    sample = first_sample if run.book.head is None else run.sample(protected)
    return RefreshRequest(run.book, sample, run.progress)


def _require_begun(run: Market, head: Head) -> None:
    """ConfigError where no block that could name an account has come: everyone would stay unseen."""
    first = run.settings.from_block
    if run.book.head is None and first > head.number:
        raise ConfigError(
            f"accounts are looked for from block {first} on, and the chain is at {head.number} only",
            where=f"markets.{run.name}.from_block",
            remedy="Set the block in which the market was created, or leave it out",
        )


def _value(
    run: Market,
    head: Head,
    refresh: Refresh[Valuation],
    watch: Watch,
    next_timestamp: int | None,
    *,
    first: bool,
) -> MarketValuation:
    before, suspended = run.stopped, dict(run.suspended)
    views, reverted = refresh.views, refresh.reverted
    if refresh.upgraded and not first:
        # On top of the block's own sample, which has the protected and those nearest to 1.
        views = {**views, **run.book.views(head, first_sample(run.book.accounts))}
    state = run.book.state
    assets = run.adapter.priced_assets(state)
    riding = len(refresh.answers) - len(run.along)
    along = dict(zip(run.along, refresh.answers[riding:], strict=True))
    if run.prices is not None:
        prices = replace(refresh, answers=refresh.answers[:riding])
        run.prices.observe(head, prices, assets, run.adapter.base_decimals(state))
    unvaluable = unvaluable_accounts(run, assets)
    due = run.is_retry_due(head.timestamp) or bool(run.stopped and _is_upgrade(refresh))
    if due:
        more = _read_anew(run, head, refresh)
        views, reverted = {**views, **more}, reverted - more.keys()
    at = MarketValuation(
        head,
        [],
        acting=False,
        unvaluable=unvaluable,
        accounts=len(run.book.rows),
        along=along,
        refresh=refresh,
    )
    if run.adapter.version(state) is None:
        reason = f"revision {run.adapter.revision(state)} of {run.adapter.protocol} has no known arithmetic"
        run.stop(reason, head.timestamp)
    else:
        if due:
            run.try_again()
        # What reverts among many may have been starved by others.
        alone = run.book.views(head, sorted(reverted - unvaluable.keys()))
        views, reverted = {**views, **alone}, reverted - unvaluable.keys() - alone.keys()
        at = _own(run, at, watch, next_timestamp, views)
        found = differences(at.valuations, views, reverted)
        for account, why in found.items():
            if part := run.adapter.part(account):
                run.suspend(part, why, head.timestamp)
            else:
                run.stop(why, head.timestamp)
        at = without_suspended(run, at)
    if run.stopped and run.stopped != before:
        log.error("watch only", market=run.name, block=head.number, why=run.stopped)
    if run.stopped:
        at = _by_views(run, at)
    run.valuations = at.valuations
    return replace(
        at,
        acting=not run.stopped,
        newly_stopped=run.stopped if run.stopped and not before else "",
        newly_suspended={p: why for p, why in run.suspended.items() if p not in suspended},
        resumed=_resumed(run, before, suspended),
        retried=_retried(run, before, suspended) if due else "",
    )


def _is_upgrade(refresh: Refresh[Valuation]) -> bool:
    return refresh.upgraded and not refresh.reorganised


def _read_anew(run: Market, head: Head, refresh: Refresh[Valuation]) -> dict[str, Valuation]:
    """A large sample's own views for a stopped market, its records read again: they may have been stale."""
    everyone = [*refresh.views, *refresh.reverted, *run.nearest, *first_sample(run.book.accounts)]
    accounts = [a for a in dict.fromkeys(everyone) if run.book.record(a) is not None]
    if run.book.read_again(head, accounts):
        run.book.read_all_next()
    return run.book.views(head, accounts)


def without_suspended(run: Market, at: MarketValuation) -> MarketValuation:
    """Accounts in suspended parts are told of as without a valuation."""
    if not run.suspended:
        return at
    parts = ((account, run.adapter.part(account)) for account in run.book.accounts)
    why = {account: run.suspended[part] for account, part in parts if part in run.suspended}
    kept = [v for v in at.valuations if v.account not in why]
    return replace(at, valuations=kept, unvaluable={**why, **at.unvaluable})


def _resumed(run: Market, before: str, suspended: Mapping[str, str]) -> tuple[str, ...]:
    over = [f"{part}: {why}" for part, why in suspended.items() if part not in run.suspended]
    return (*([before] if before and not run.stopped else []), *over)


def _retried(run: Market, before: str, suspended: Mapping[str, str]) -> str:
    if not (before and run.stopped) and not (suspended and run.suspended):
        return ""
    why = run.stopped or next(iter(run.suspended.values()))
    return f"{why}; tried again in {run.retry_wait} s"


def _own(
    run: Market, at: MarketValuation, watch: Watch, next_timestamp: int | None, views: Iterable[str]
) -> MarketValuation:
    """Our own numbers: of all accounts, or of those that screening and the sample choose."""
    state, book, head = run.book.state, run.book, at.head
    screener = run.adapter.screener
    if watch.everything or screener is None:
        chosen = records_of(run, book.accounts, at)
        own = exact_valuations(run, chosen, head.timestamp)
        run.nearest = [v.account for v in sorted(own, key=_nearness)[: selection.FOLLOWED]]
        return replace(
            at,
            valuations=own,
            next_block=_next_block(run, chosen, own, watch, selection.FAR, next_timestamp),
        )
    legs = sorted(book.columns.legs)
    now = screener.weights(state, head.timestamp, legs)
    then = screener.weights(state, next_timestamp or head.timestamp, legs)
    assert now is not None and then is not None, "a version that is known has weights"
    now = replace(now, drift=selection.drift(now, then))
    near = run.standing.near(
        now,
        book.take_changed(),
        selection.thresholds(watch),
        run.groups(legs, len(now.equity)),
    )
    unbounded = book.columns.unbounded | book.columns.rows_with(now.unbounded)
    selected = selection.select(
        book, near, unbounded, watch, lambda account: run.adapter.unit_worth(state, account)
    )
    accounts = dict.fromkeys([*_accounts(run, selected.rows), *views])
    chosen = records_of(run, accounts, at)
    own = exact_valuations(run, chosen, head.timestamp)
    run.nearest = _accounts(run, selected.nearest)
    growth = selection.growth(now.drift, signed=book.columns.signed)
    return replace(
        at,
        valuations=own,
        below_unvalued=selected.below_unvalued,
        undecided=selected.undecided,
        next_block=_next_block(run, chosen, own, watch, growth, next_timestamp),
    )


def exact_valuations(run: Market, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
    """Exact values; a part of the market whose numbers no arithmetic takes is suspended, the others go on."""
    state, adapter = run.book.state, run.adapter
    try:
        return adapter.value_records(state, records, timestamp)
    except Exception:
        parts: dict[str, dict[str, bytes]] = {}
        for account, record in records.items():
            parts.setdefault(run.adapter.part(account), {})[account] = record
        if len(parts) < 2 and "" in parts:
            raise
    found: list[Valuation] = []
    for part, some in parts.items():
        try:
            found += adapter.value_records(state, some, timestamp)
        except Exception as error:
            if not part:
                raise
            log.error("part cannot be valued", market=run.name, part=part, exc_info=error)
            run.suspend(part, f"its numbers cannot be valued: {error!r}", timestamp)
    return found


def _next_block(
    run: Market,
    chosen: Mapping[str, bytes],
    own: Sequence[Valuation],
    watch: Watch,
    growth: float,
    next_timestamp: int | None,
) -> dict[str, Valuation]:
    """Valuations at the next block's time of those whom time alone may take below a threshold until then."""
    if next_timestamp is None:
        return {}
    spans = [(level, int(level * growth) + 1) for level in watch.levels.values()]
    raws = {
        v.account: chosen[v.account]
        for v in own
        if (health := v.health) is not None
        and (any(a <= health <= b for a, b in spans) or run.adapter.owner(v.account) in watch.special)
    }
    return {v.account: v for v in exact_valuations(run, raws, next_timestamp)}


def records_of(run: Market, accounts: Iterable[str], at: MarketValuation) -> dict[str, bytes]:
    """Records of those accounts that the book knows and the contract can value."""
    found = {a: run.book.record(a) for a in accounts if a not in at.unvaluable}
    return {account: record for account, record in found.items() if record is not None}


def _accounts(run: Market, rows: Iterable[np.int64]) -> list[str]:
    return [run.book.rows.account(int(row)) for row in rows]


def _nearness(valuation: Valuation) -> tuple[bool, int]:
    return valuation.health is None, valuation.health or 0


def _by_views(run: Market, at: MarketValuation) -> MarketValuation:
    """The contract's own numbers instead of ours."""
    own = list(run.book.views(at.head, list(run.book.accounts)).values())
    answered = {v.account for v in own}
    unvaluable = {
        a: at.unvaluable.get(a, "the contract's own view reverts")
        for a in run.book.accounts
        if a not in answered
    }
    return replace(at, valuations=own, unvaluable=unvaluable, below_unvalued=0, next_block={})
