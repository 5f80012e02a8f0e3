"""Refresh, value, audit: one market brought to a block, with numbers that may be acted on or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from keeper.chain.blocks import Head
from keeper.protocols.base import PricedAsset, Valuation
from keeper.service.markets import MarketRun, first_sample

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Valued:
    """A market at a block. `acting` False: the numbers are the contract's own and nothing is sent.

    `unvaluable` are accounts that the contract itself cannot value at this block, with the reason; they have
    no valuation, and the others go on."""

    head: Head
    valuations: list[Valuation]
    acting: bool
    newly_stopped: str = ""
    unvaluable: dict[str, str] = field(default_factory=dict)


def value(run: MarketRun, head: Head, protected: Sequence[str] = ()) -> Valued:
    """Bring the book to `head`, value every account exactly, and compare a sample with the contract.

    A revision without known arithmetic or a single difference stops acting in the market: it is then
    watched through the contract's own view until an upgrade or a restart passes the comparison again. The
    reason stays the one it was stopped for, so that it is told once.
    """
    before = run.stopped
    first = run.book.head is None
    if run.prices is not None:
        run.book.riders = run.prices.riders()
    refresh = run.book.refresh(head, first_sample if first else run.sample(protected))
    views = refresh.views
    if refresh.upgraded and not first:
        # On top of the block's own sample, which has the protected and those nearest to 1.
        views = {**views, **run.book.views(head, first_sample(run.book.accounts))}
    state = run.book.state
    assets = run.adapter.priced_assets(state)
    if run.prices is not None:
        run.prices.observe(head, refresh, assets, run.adapter.base_decimals(state))
    unvaluable = _unvaluable(run, assets)
    if run.adapter.version(state) is None:
        run.stopped = (
            f"revision {run.adapter.revision(state)} of {run.adapter.protocol} has no known arithmetic"
        )
        own: list[Valuation] = []
    else:
        accounts = {a: raw for a, raw in run.book.accounts.items() if a not in unvaluable}
        own = run.adapter.value(state, accounts, head.timestamp)
        difference = compare(own, views, refresh.reverted - unvaluable.keys())
        if not run.stopped or (refresh.upgraded and not refresh.reorganised):
            run.stopped = difference
    if run.stopped and run.stopped != before:
        log.error("watch only", market=run.name, block=head.number, why=run.stopped)
    if run.stopped:
        own = list(run.book.views(head, list(run.book.accounts)).values())
        answered = {v.account for v in own}
        unvaluable = {
            a: unvaluable.get(a, "the contract's own view reverts")
            for a in run.book.accounts
            if a not in answered
        }
    run.valuations = own
    return Valued(head, own, not run.stopped, run.stopped if run.stopped != before else "", unvaluable)


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


def confirm(run: MarketRun, head: Head, accounts: Sequence[str]) -> str:
    """Compare the accounts that are about to be acted on with the contract's own view, all of them.

    A difference stops acting in the market, as it does in `value`; the reason, empty when all agree.
    """
    chosen = set(accounts)
    own = [v for v in run.valuations if v.account in chosen]
    views = run.book.views(head, accounts)
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
