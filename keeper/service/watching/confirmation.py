"""The contract's own view of whoever is to be acted on: equal to ours, or nobody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from keeper.chain.blocks import Head
from keeper.service.markets import Market
from keeper.service.watching.comparison import compare, differences
from keeper.service.watching.market_valuation import (
    MarketValuation,
    exact_valuations,
    records_of,
    without_suspended,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What comparing with the contract's own view brought. `silent` are accounts whose record was stale; `at`
    has their valuations anew. `difference` says why the market may not be acted in; empty where all agree."""

    at: MarketValuation
    difference: str = ""
    silent: frozenset[str] = frozenset()
    judged_anew: bool = False
    """Whether somebody's valuation is another than the market was judged by."""


def confirm(run: Market, head: Head, at: MarketValuation, accounts: Sequence[str]) -> Confirmed:
    """Compare the accounts that are about to be acted on with the contract's own view, all of them. Those in
    the block's sample were compared in `value`; the others' views are read now.

    A difference is first taken for a stale record: protocols change accounts without an event. The accounts
    are read again at the same block and compared again; what differs still stops acting in the market.
    """
    compared = at.refresh.views.keys() if at.refresh is not None else ()
    chosen = [account for account in dict.fromkeys(accounts) if account not in compared]
    if not chosen:
        return Confirmed(at)
    own = [v for v in at.valuations if v.account in set(chosen)]
    views = run.book.views(head, chosen)
    if not compare(own, views, set(chosen) - views.keys()):
        return Confirmed(at)
    return _doubted(run, head, at, accounts)


def _doubted(run: Market, head: Head, at: MarketValuation, accounts: Sequence[str]) -> Confirmed:
    """The comparison once more, by records and views that were read again."""
    chosen = list(dict.fromkeys(accounts))
    silent = run.book.read_again(head, chosen)
    anew = exact_valuations(run, records_of(run, chosen, at), head.timestamp)
    views = run.book.views(head, chosen)
    found = differences(anew, views, set(chosen) - views.keys())
    parts = {part: why for account, why in found.items() if (part := run.adapter.part(account))}
    difference = next((why for account, why in found.items() if not run.adapter.part(account)), "")
    for part, why in parts.items():
        run.suspend(part, why, head.timestamp)
    if difference:
        run.stop(difference, head.timestamp)
        log.error("watch only", market=run.name, block=head.number, why=difference)
    if silent:
        log.warning("silent change", market=run.name, block=head.number, accounts=sorted(silent))
        run.book.read_all_next()
    now = {v.account: v for v in anew}
    at = replace(at, valuations=[now.get(v.account, v) for v in at.valuations])
    at = without_suspended(run, replace(at, newly_suspended={**at.newly_suspended, **parts}))
    run.valuations = at.valuations
    return Confirmed(at, difference, silent, judged_anew=bool(silent or parts))
