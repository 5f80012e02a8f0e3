"""Refresh, value, audit: a chain's markets brought to a block, with numbers that may be acted on or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from keeper.book.book import Refresh, Sample
from keeper.book.reads import Reader
from keeper.book.refresh import RefreshRequest, refresh_together
from keeper.book.source import NOTHING_ELSE
from keeper.chain.blocks import Head
from keeper.chain.calls import Call
from keeper.errors import ConfigError
from keeper.model.valuation import Valuation
from keeper.service.markets import Market
from keeper.service.watching import selection
from keeper.service.watching.comparison import differences
from keeper.service.watching.memory import BLANK, MarketMemory, WatchOnly
from keeper.service.watching.sample import first_sample, next_sample
from keeper.service.watching.selection import EVERYTHING, NO_ROWS, Selected, Watch
from keeper.service.watching.unvaluable import unvaluable_accounts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MarketValuation:
    """A market at a block, and what is remembered for the next. `acting` False: the numbers are the
    contract's own and nothing is sent.

    `valuations` are exact: of every account, or of those that matter to what is watched; `accounts` is how
    many the market has, `below_unvalued` how many more are certainly below a threshold, which no one asks
    after. `next_block`: valuations at its time of accounts that time alone may take below one until then.
    `unvaluable` are accounts that the contract itself cannot value at this block, with the reason; they have
    no valuation, and the others go on. `refresh` says what else was noticed, and has the
    answers of all that was read with the book."""

    head: Head
    valuations: list[Valuation]
    memory: MarketMemory
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
    refresh: Refresh[Valuation] | None = None

    @property
    def acting(self) -> bool:
        """Whether the market may be acted in."""
        return not self.memory.watch_only.reason


@dataclass(frozen=True, slots=True)
class MarketRequest:
    """What to bring to a block: a market, what is remembered of it, and what there is to decide about.

    `protected` are owners whose accounts are compared at every block, `extra` further calls to be read with
    the book; `progress` hears the last block covered while a long scan is under way."""

    market: Market
    memory: MarketMemory = BLANK
    watch: Watch = EVERYTHING
    protected: Sequence[str] = ()
    extra: Sequence[Call] = ()
    progress: Callable[[int], None] | None = None


def value(
    market: Market, head: Head, progress: Callable[[int], None] | None = None, memory: MarketMemory = BLANK
) -> MarketValuation:
    """One market alone, every account exactly: see `value_together`."""
    reader = Reader(market.book.pool, market.book.workers)
    [at] = value_together(reader, head, [MarketRequest(market, memory, progress=progress)])
    if isinstance(at, Exception):
        raise at
    return at


def value_together(
    reader: Reader, head: Head, asked: Sequence[MarketRequest], next_timestamp: int | None = None
) -> list[MarketValuation | Exception]:
    """Bring the markets' books to `head` together, value what matters exactly, and compare a sample with the
    contract. In order; an exception is that market's alone.

    A revision without known arithmetic or a single difference stops acting in a market: it is then watched
    through the contract's own view until an upgrade or a retry passes the comparison again. The reason stays
    the one it was stopped for, so that it is told once.
    """
    outcomes: dict[str, MarketValuation | Exception] = {}
    visits: dict[str, _Visit] = {}
    for each in asked:
        try:
            visits[each.market.name] = _visit(each, head)
        except Exception as error:  # noqa: BLE001  (one market's fault is that market's alone)
            outcomes[each.market.name] = _markets_own(each.market, error)
    refreshed = refresh_together(reader, head, [visit.refresh for visit in visits.values()])
    for visit, refresh in zip(visits.values(), refreshed, strict=True):
        name = visit.asked.market.name
        if isinstance(refresh, Exception):
            outcomes[name] = refresh
            continue
        try:
            outcomes[name] = _value(visit, head, refresh, next_timestamp)
        except ConfigError as error:
            if not visit.was_read:
                raise
            outcomes[name] = error
        except Exception as error:  # noqa: BLE001
            outcomes[name] = error
    return [outcomes[each.market.name] for each in asked]


@dataclass(frozen=True, slots=True)
class _Visit:
    """One market on its way to a block. `first`: its book was read at no block yet."""

    asked: MarketRequest
    refresh: RefreshRequest
    turn: int
    first: bool
    was_read: bool


def _markets_own(run: Market, error: Exception) -> Exception:
    """The error as one market's; raised where the configuration is at fault for all that is known."""
    if isinstance(error, ConfigError) and not run.book.was_read:
        raise error
    return error


def _visit(asked: MarketRequest, head: Head) -> _Visit:
    market, memory = asked.market, asked.memory
    _require_begun(market, head)
    extra = market.prices.extra_reads() if market.prices is not None else NOTHING_ELSE
    extra = replace(extra, calls=(*extra.calls, *asked.extra))
    first, turn = market.book.head is None, memory.turn
    sample: Sample = first_sample
    if not first:
        sample, turn = next_sample(market, memory, asked.protected)
    return _Visit(
        asked, RefreshRequest(market.book, sample, asked.progress, extra), turn, first, market.book.was_read
    )


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
    visit: _Visit, head: Head, refresh: Refresh[Valuation], next_timestamp: int | None
) -> MarketValuation:
    market, memory = visit.asked.market, replace(visit.asked.memory, turn=visit.turn)
    before = halted = memory.watch_only
    views, reverted = refresh.views, refresh.reverted
    if refresh.upgraded and not visit.first:
        # On top of the block's own sample, which has the protected and those nearest to 1.
        views = {**views, **market.book.views(head, first_sample(market.book.accounts))}
    state, adapter = market.book.state, market.adapter
    assets = adapter.priced_assets(state)
    if market.prices is not None:
        market.prices.observe(head, refresh, assets, adapter.base_decimals(state))
    unvaluable = unvaluable_accounts(market, assets)
    due = halted.is_retry_due(head.timestamp) or bool(halted.reason and _is_upgrade(refresh))
    if due:
        more = _read_anew(market, head, refresh, memory)
        views, reverted = {**views, **more}, reverted - more.keys()
    at = MarketValuation(
        head, [], memory, unvaluable=unvaluable, accounts=len(market.book.rows), refresh=refresh
    )
    if adapter.version(state) is None:
        reason = f"revision {adapter.revision(state)} of {adapter.protocol} has no known arithmetic"
        halted = halted.stop(reason, head.timestamp)
    else:
        if due:
            halted = halted.lifted()
        # What reverts among many may have been starved by others.
        alone = market.book.views(head, sorted(reverted - unvaluable.keys()))
        views, reverted = {**views, **alone}, reverted - unvaluable.keys() - alone.keys()
        at, failed = _own(market, at, visit.asked.watch, next_timestamp, views)
        halted = compared(market, halted.suspend(failed, head.timestamp), at, views, reverted)
        at = without_suspended(market, at, halted.parts)
    if halted.reason and halted.reason != before.reason:
        log.error("watch only", market=market.name, block=head.number, why=halted.reason)
    if halted.reason:
        at = _by_views(market, at)
    return replace(
        at,
        memory=replace(at.memory, watch_only=halted),
        newly_stopped="" if before.reason else halted.reason,
        newly_suspended={part: why for part, why in halted.parts.items() if part not in before.parts},
        resumed=_resumed(before, halted),
        retried=_retried(before, halted) if due else "",
    )


def compared(
    market: Market,
    halted: WatchOnly,
    at: MarketValuation,
    views: Mapping[str, Valuation],
    reverted: Iterable[str],
) -> WatchOnly:
    """What is acted in once our numbers were held against the contract's: a difference stops the market, or
    the part of it that the account is in."""
    found = differences(at.valuations, views, reverted)
    parts = {part: why for account, why in found.items() if (part := market.adapter.part(account))}
    whole = next((why for account, why in found.items() if not market.adapter.part(account)), "")
    halted = halted.suspend(parts, at.head.timestamp)
    return halted.stop(whole, at.head.timestamp) if whole else halted


def _is_upgrade(refresh: Refresh[Valuation]) -> bool:
    return refresh.upgraded and not refresh.reorganised


def _read_anew(
    run: Market, head: Head, refresh: Refresh[Valuation], memory: MarketMemory
) -> dict[str, Valuation]:
    """A large sample's own views for a stopped market, its records read again: they may have been stale."""
    everyone = [*refresh.views, *refresh.reverted, *memory.nearest, *first_sample(run.book.accounts)]
    accounts = [a for a in dict.fromkeys(everyone) if run.book.record(a) is not None]
    if run.book.read_again(head, accounts):
        run.book.read_all_next()
    return run.book.views(head, accounts)


def without_suspended(market: Market, at: MarketValuation, suspended: Mapping[str, str]) -> MarketValuation:
    """Accounts in suspended parts are told of as without a valuation."""
    if not suspended:
        return at
    parts = ((account, market.adapter.part(account)) for account in market.book.accounts)
    why = {account: suspended[part] for account, part in parts if part in suspended}
    kept = [v for v in at.valuations if v.account not in why]
    return replace(at, valuations=kept, unvaluable={**why, **at.unvaluable})


def _resumed(before: WatchOnly, now: WatchOnly) -> tuple[str, ...]:
    over = [f"{part}: {why}" for part, why in before.parts.items() if part not in now.parts]
    return (*([before.reason] if before.reason and not now.reason else []), *over)


def _retried(before: WatchOnly, now: WatchOnly) -> str:
    if not (before.reason and now.reason) and not (before.parts and now.parts):
        return ""
    why = now.reason or next(iter(now.parts.values()))
    return f"{why}; tried again in {now.retry_wait} s"


def _own(
    market: Market,
    at: MarketValuation,
    watch: Watch,
    next_timestamp: int | None,
    views: Iterable[str],
) -> tuple[MarketValuation, Mapping[str, str]]:
    """Our own numbers: of all accounts, or of those that screening and the sample choose; and the parts of
    the market that no arithmetic takes, with the reason."""
    state, book, adapter, head = market.book.state, market.book, market.adapter, at.head
    screen, screener = market.screen, adapter.screener
    if watch.everything or screen is None or screener is None:
        chosen = records_of(market, book.accounts, at)
        own, failed = exact_valuations(market, chosen, head.timestamp)
        nearest = [v.account for v in sorted(own, key=_nearness)[: selection.FOLLOWED]]
        selected, growth = Selected(NO_ROWS, NO_ROWS), selection.FAR
    else:
        legs = sorted(book.columns.legs)
        now = screener.weights(state, head.timestamp, legs)
        then = screener.weights(state, next_timestamp or head.timestamp, legs)
        assert now is not None and then is not None, "a version that is known has weights"
        now = replace(now, drift=selection.drift(now, then))
        growth = selection.growth(now.drift, signed=book.columns.signed)
        groups = market.groups(legs, len(now.equity))
        near = screen.near(now, book.take_changed(), selection.thresholds(watch), groups)
        unbounded = book.columns.unbounded | book.columns.rows_with(now.unbounded)
        selected = selection.select(
            book, near, unbounded, watch, lambda account: adapter.unit_worth(state, account)
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


def exact_valuations(
    market: Market, records: Mapping[str, bytes], timestamp: int
) -> tuple[list[Valuation], Mapping[str, str]]:
    """Exact values, and the parts of the market whose numbers no arithmetic takes: the others go on."""
    state, adapter = market.book.state, market.adapter
    try:
        return adapter.value_records(state, records, timestamp), {}
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
            found += adapter.value_records(state, some, timestamp)
        except Exception as error:
            if not part:
                raise
            log.error("part cannot be valued", market=market.name, part=part, exc_info=error)
            failed[part] = f"its numbers cannot be valued: {error!r}"
    return found, failed


def _next_block(
    run: Market,
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
        and (any(a <= health <= b for a, b in spans) or run.adapter.owner(v.account) in watch.special)
    }
    later, failed = exact_valuations(run, raws, next_timestamp)
    return {v.account: v for v in later}, failed


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
