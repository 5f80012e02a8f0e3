"""Refresh, value, audit: a chain's markets brought to a block, with numbers that may be acted on or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from keeper.book.book import Refresh
from keeper.book.reading import Reader
from keeper.book.refreshing import Ask, refresh_together
from keeper.book.source import Riders, owner_of
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call
from keeper.errors import ConfigError
from keeper.protocols.base import PricedAsset, Valuation
from keeper.service import selecting
from keeper.service.markets import MarketRun, first_sample
from keeper.service.selecting import EVERYTHING, Watch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Valued:
    """A market at a block. `acting` False: the numbers are the contract's own and nothing is sent.

    `valuations` are exact: of every account, or of those that matter to what is watched; `accounts` is how
    many the market has, `others_below` how many more are certainly below a threshold, which no one asks
    after. `coming` are healths at the next block's time of accounts that interest alone takes below one.
    `unvaluable` are accounts that the contract itself cannot value at this block, with the reason; they have
    no valuation, and the others go on. `along` is what the run wanted read with the book, `refresh` says what
    else was noticed."""

    head: Head
    valuations: list[Valuation]
    acting: bool
    newly_stopped: str = ""
    unvaluable: dict[str, str] = field(default_factory=dict)
    accounts: int = 0
    others_below: int = 0
    touching: int = 0
    coming: dict[str, int] = field(default_factory=dict)
    along: Mapping[Call, Answer] = field(default_factory=dict)
    refresh: Refresh[Valuation] | None = None


def value(run: MarketRun, head: Head, protected: Sequence[str] = ()) -> Valued:
    """One market alone, every account exactly: see `value_together`."""
    reader = Reader(run.book.pool, run.book.workers)
    [at] = value_together(reader, [run], head, {run.name: protected}, {})
    if isinstance(at, Exception):
        raise at
    return at


def value_together(
    reader: Reader,
    runs: Sequence[MarketRun],
    head: Head,
    protected: Mapping[str, Sequence[str]],
    watches: Mapping[str, Watch],
    next_timestamp: int | None = None,
) -> list[Valued | Exception]:
    """Bring the markets' books to `head` together, value what matters exactly, and compare a sample with the
    contract. In order; an exception is that market's alone.

    A revision without known arithmetic or a single difference stops acting in a market: it is then watched
    through the contract's own view until an upgrade or a restart passes the comparison again. The reason
    stays the one it was stopped for, so that it is told once.
    """
    outcomes: dict[str, Valued | Exception] = {}
    asks: dict[str, Ask] = {}
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


def _markets_own(run: MarketRun, error: Exception) -> Exception:
    """The error as one market's; raised where the configuration is at fault for all that is known."""
    if isinstance(error, ConfigError) and not run.book.was_read:
        raise error
    return error


def _ask(run: MarketRun, head: Head, protected: Sequence[str]) -> Ask:
    _require_begun(run, head)
    riders = run.prices.riders() if run.prices is not None else Riders()
    run.book.riders = replace(riders, calls=(*riders.calls, *run.along))
    sample = first_sample if run.book.head is None else run.sample(protected)
    return Ask(run.book, sample, run.progress)


def _require_begun(run: MarketRun, head: Head) -> None:
    """ConfigError where no block that could name an account has come: everyone would stay unseen."""
    first = run.settings.from_block
    if run.book.head is None and first > head.number:
        raise ConfigError(
            f"accounts are looked for from block {first} on, and the chain is at {head.number} only",
            where=f"markets.{run.name}.from_block",
            remedy="Set the block in which the market was created, or leave it out",
        )


def _value(
    run: MarketRun,
    head: Head,
    refresh: Refresh[Valuation],
    watch: Watch,
    next_timestamp: int | None,
    *,
    first: bool,
) -> Valued:
    before = run.stopped
    views = refresh.views
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
    unvaluable = _unvaluable(run, assets)
    at = Valued(
        head,
        [],
        acting=False,
        unvaluable=unvaluable,
        accounts=len(run.book.rows),
        along=along,
        refresh=refresh,
    )
    if run.adapter.version(state) is None:
        run.stopped = (
            f"revision {run.adapter.revision(state)} of {run.adapter.protocol} has no known arithmetic"
        )
    else:
        at = _own(run, at, watch, next_timestamp, views)
        difference = compare(at.valuations, views, refresh.reverted - unvaluable.keys())
        if not run.stopped or (refresh.upgraded and not refresh.reorganised):
            run.stopped = difference
    if run.stopped and run.stopped != before:
        log.error("watch only", market=run.name, block=head.number, why=run.stopped)
    if run.stopped:
        at = _by_views(run, at)
    run.valuations = at.valuations
    return replace(at, acting=not run.stopped, newly_stopped=run.stopped if run.stopped != before else "")


def _own(
    run: MarketRun, at: Valued, watch: Watch, next_timestamp: int | None, views: Iterable[str]
) -> Valued:
    """Our own numbers: of all accounts, or of those that screening and the sample choose."""
    state, book, head = run.book.state, run.book, at.head
    if watch.everything:
        chosen = _records(run, book.accounts, at)
        own = run.adapter.value_records(state, chosen, head.timestamp)
        run.nearest = [v.account for v in sorted(own, key=_nearness)[: selecting.FOLLOWED]]
        return replace(at, valuations=own, coming=_coming(run, chosen, own, watch, 2.0, next_timestamp))
    legs = sorted(book.columns.legs)
    now = run.adapter.weights(state, head.timestamp, legs)
    assert now is not None, "a version that is known has weights"
    then = run.adapter.weights(state, next_timestamp or head.timestamp, legs)
    growth = selecting.growth(now, then) if then is not None else 1.0
    near = run.standing.near(
        now,
        book.take_changed(),
        selecting.thresholds(watch),
        run.groups(legs, len(now.power)) if growth <= selecting.FORESEEN else None,
    )
    unbounded = book.columns.opaque | book.columns.rows_with(now.opaque)
    selected = selecting.select(book, near, unbounded, growth, watch)
    accounts = dict.fromkeys([*_accounts(run, selected.rows), *views])
    chosen = _records(run, accounts, at)
    own = run.adapter.value_records(state, chosen, head.timestamp)
    run.nearest = _accounts(run, selected.nearest)
    return replace(
        at,
        valuations=own,
        others_below=selected.others_below,
        touching=selected.touching,
        coming=_coming(run, chosen, own, watch, growth, next_timestamp),
    )


def _coming(
    run: MarketRun,
    chosen: Mapping[str, bytes],
    own: Sequence[Valuation],
    watch: Watch,
    growth: float,
    next_timestamp: int | None,
) -> dict[str, int]:
    """Healths at the next block's time of those whom interest alone may take below a threshold until then."""
    if next_timestamp is None:
        return {}
    spans = [(level, int(level * growth) + 1) for level in watch.levels.values()]
    raws = {
        v.account: chosen[v.account]
        for v in own
        if v.health is not None
        and (owner_of(v.account) in watch.special or any(low <= v.health <= high for low, high in spans))
    }
    later = run.adapter.value_records(run.book.state, raws, next_timestamp)
    return {v.account: v.health for v in later if v.health is not None}


def _records(run: MarketRun, accounts: Iterable[str], at: Valued) -> dict[str, bytes]:
    """Records of those accounts that the book knows and the contract can value."""
    found = {a: run.book.record(a) for a in accounts if a not in at.unvaluable}
    return {account: record for account, record in found.items() if record is not None}


def _accounts(run: MarketRun, rows: Iterable[np.int64]) -> list[str]:
    return [run.book.rows.account(int(row)) for row in rows]


def _nearness(valuation: Valuation) -> tuple[bool, int]:
    return valuation.health is None, valuation.health or 0


def _by_views(run: MarketRun, at: Valued) -> Valued:
    """The contract's own numbers instead of ours."""
    own = list(run.book.views(at.head, list(run.book.accounts)).values())
    answered = {v.account for v in own}
    unvaluable = {
        a: at.unvaluable.get(a, "the contract's own view reverts")
        for a in run.book.accounts
        if a not in answered
    }
    return replace(at, valuations=own, unvaluable=unvaluable, others_below=0, coming={})


def _unvaluable(run: MarketRun, assets: Sequence[PricedAsset]) -> dict[str, str]:
    """Accounts for which the contract needs a price that its oracle does not give."""
    silent = {each.asset for each in assets if each.price is None}
    if not silent:
        return {}
    why = {asset: _silence(run, asset) for asset in silent}
    found = {}
    for account, raw in run.book.accounts.items():
        missing = run.adapter.priced_by(run.book.state, raw) & silent
        if missing:
            found[account] = "; ".join(why[asset] for asset in sorted(missing))
    return found


def _silence(run: MarketRun, asset: str) -> str:
    verdict = run.prices.judgements.get(asset) if run.prices is not None else None
    name = run.prices.symbols.get(asset, asset) if run.prices is not None else asset
    return f"{name} has no price: {verdict.closed}" if verdict else f"{name} has no price"


def confirm(run: MarketRun, head: Head, at: Valued, accounts: Sequence[str]) -> str:
    """Compare the accounts that are about to be acted on with the contract's own view, all of them. Those in
    the block's sample were compared in `value`; the others' views are read now.

    A difference stops acting in the market, as it does in `value`; the reason, empty when all agree.
    """
    compared = at.refresh.views.keys() if at.refresh is not None else ()
    chosen = set(accounts).difference(compared)
    if not chosen:
        return ""
    own = [v for v in run.valuations if v.account in chosen]
    views = run.book.views(head, [account for account in accounts if account in chosen])
    difference = compare(own, views, chosen - views.keys())
    if difference:
        run.stopped = difference
        log.error("watch only", market=run.name, block=head.number, why=difference)
    return difference


def compare(own: Sequence[Valuation], views: Mapping[str, Valuation], reverted: Iterable[str] = ()) -> str:
    """The first difference between our numbers and the contract's, with both; empty when all agree.
    `reverted` are accounts that we can value and the contract cannot."""
    for account in sorted(reverted):
        return f"the contract's own view of {account} reverts"
    ours = {valuation.account: valuation for valuation in own}
    for account, theirs in views.items():
        mine = ours.get(account)
        if mine != theirs:
            return (
                f"our numbers differ from the contract's for {account}: {_show(mine)} against {_show(theirs)}"
            )
    return ""


def _show(valuation: Valuation | None) -> str:
    if valuation is None:
        return "none"
    return (
        f"collateral {valuation.collateral}, debt {valuation.debt}, "
        f"threshold {valuation.threshold}, health {valuation.health}"
    )
