"""Confirmation: the contract's own view of each account to be acted on must equal ours, or none is acted
on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from keeper.chain.blocks import Head
from keeper.service.markets import Market
from keeper.service.watching.comparison import compare
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.own_numbers import exact_valuations, records_of, without_suspended
from keeper.service.watching.value import compared

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What comparing with the contract's own view brought. `silent` are accounts whose record was stale;
    `valued` has their valuations anew. `difference` says why the market may not be acted in, empty where all
    agree."""

    valued: MarketValuation
    difference: str = ""
    silent: frozenset[str] = frozenset()
    judged_anew: bool = False
    """Whether any valuation now differs from the one the market was judged by."""


def confirm(market: Market, head: Head, valued: MarketValuation, accounts: Sequence[str]) -> Confirmed:
    """Compare all accounts that are about to be acted on with the contract's own view. Those in the block's
    sample were compared in `value`; the others' views are read now.

    A difference is first taken for a stale record: protocols change accounts without an event. The accounts
    are read again at the same block and compared again; what still differs stops acting in the market.
    """
    compared = valued.refresh.views.keys() if valued.refresh is not None else ()
    chosen = [account for account in dict.fromkeys(accounts) if account not in compared]
    if not chosen:
        return Confirmed(valued)
    own = [v for v in valued.valuations if v.account in set(chosen)]
    views = market.book.views(head, chosen)
    if not compare(own, views, set(chosen) - views.keys()):
        return Confirmed(valued)
    return _doubted(market, head, valued, accounts)


def _doubted(market: Market, head: Head, valued: MarketValuation, accounts: Sequence[str]) -> Confirmed:
    """Compare once more, by records and views that were read again."""
    chosen = list(dict.fromkeys(accounts))
    silent = market.book.read_again(head, chosen)
    anew, failed = exact_valuations(market, records_of(market, chosen, valued), head.timestamp)
    views = market.book.views(head, chosen)
    before = valued.memory.watch_only
    halted = compared(
        market,
        before.suspend(failed, head.timestamp),
        replace(valued, valuations=anew),
        views,
        set(chosen) - views.keys(),
    )
    difference = "" if before.reason else halted.reason
    parts = {part: why for part, why in halted.parts.items() if part not in before.parts}
    if difference:
        log.error("watch only", market=market.name, block=head.number, why=difference)
    if silent:
        log.warning("silent change", market=market.name, block=head.number, accounts=sorted(silent))
        market.book.read_all_next()
    now = {v.account: v for v in anew}
    valued = replace(
        valued,
        valuations=[now.get(v.account, v) for v in valued.valuations],
        memory=replace(valued.memory, watch_only=halted),
        newly_stopped=valued.newly_stopped or difference,
        newly_suspended={**valued.newly_suspended, **parts},
    )
    valued = without_suspended(market, valued, halted.parts)
    return Confirmed(valued, difference, silent, judged_anew=bool(silent or parts))
