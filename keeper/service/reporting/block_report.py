"""The report of a block, written after acting: what only reports and decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import structlog
from sqlmodel import Session

from keeper.chain.blocks import Head
from keeper.errors import UnreachableError
from keeper.policy.choose import Decision
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning import redemptions
from keeper.service.planning.breach import Breach
from keeper.service.reporting import status
from keeper.service.reporting.record import Recorder
from keeper.service.watching import price_status
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.unknown_sources import UnknownSources

log = structlog.get_logger()

UNDER_WAY = "an attempt is under way, or its last failure is waited out"

Decided = list[tuple[Breach, Decision]]
Contained = Callable[[Market, Head], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class TickResult:
    """What was found and decided at `head`; `started` by the monotonic clock."""

    head: Head
    started: float
    valued: list[tuple[Market, MarketValuation]]
    wanted: list[Breach]
    decisions: Decided


@dataclass(frozen=True, slots=True)
class BlockReport:
    """Writes the reports of one chain's blocks."""

    chain: ChainContext
    recorder: Recorder | None
    unknown_sources: UnknownSources = field(default_factory=UnknownSources)

    def finish(self, done: TickResult, halt_reason: str, contained: Contained) -> None:
        """Write status, prices, redemptions (they are not urgent) and the record.

        `halt_reason` says why nothing is sent; `contained` keeps one market's failure from the others."""
        head = done.head
        self._write(done, halt_reason, contained)
        if self.chain.mode == "live" and not halt_reason:
            acting = [market for market, valued in done.valued if valued.acting]
            redemptions.redeem(self.chain, head, acting)
        if self.recorder is not None:
            for market, valued in done.valued:
                with contained(market, head):
                    self._record(self.recorder, done, market, valued)
        log.info(
            "block",
            chain=self.chain.name,
            number=head.number,
            accounts=sum(valued.accounts for _, valued in done.valued),
            exact=sum(len(valued.valuations) for _, valued in done.valued),
            below=sum(status.below(market, valued, self.chain.policies) for market, valued in done.valued),
            wanted=len(done.wanted),
            planned=sum(d.plan is not None for _, d in done.decisions),
            ms=round((time.monotonic() - done.started) * 1000, 1),
        )

    def _write(self, done: TickResult, halt_reason: str, contained: Contained) -> None:
        """Write everything in one transaction; where the store rejects what one market reports, that market's
        apart."""
        try:
            with self.chain.store.session() as session:
                for market, valued in done.valued:
                    self._write_market(session, market, valued)
                self._write_chain(session, done.head, halt_reason)
        except UnreachableError:
            raise
        except Exception:  # noqa: BLE001  (whose fault it is, each market's own transaction tells)
            with self.chain.store.session() as session:
                self._write_chain(session, done.head, halt_reason)
            for market, valued in done.valued:
                with contained(market, done.head), self.chain.store.session() as session:
                    self._write_market(session, market, valued)

    def _write_market(self, session: Session, market: Market, valued: MarketValuation) -> None:
        # What is news was written before anybody acted.
        if not valued.is_news:
            status.write_market(session, self.chain.name, market, valued, self.chain.policies)
        price_status.write(
            session, market, valued, self.chain.policies.protected(market.name), self.unknown_sources
        )

    def _write_chain(self, session: Session, head: Head, halt_reason: str) -> None:
        status.write_chain(
            session, self.chain.name, self.chain.mode, head, halt_reason, self.chain.pool.requests
        )

    def _record(self, recorder: Recorder, done: TickResult, market: Market, valued: MarketValuation) -> None:
        planned = {w.key for w, _ in done.decisions}
        mine = [w for w in done.wanted if w.market is market]
        blocked = {w.valuation.account: UNDER_WAY for w in mine if w.key not in planned}
        blocked |= {
            w.valuation.account: d.blocked.reason
            for w, d in done.decisions
            if w.market is market and d.blocked is not None
        }
        recorder.write(market, valued, self.chain.policies, blocked)
