"""What `keeper status` shows of chains and markets, as of the last block."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts import keeper_alerts, market_alerts
from keeper.chain.blocks import Head
from keeper.execution.journal import Mode
from keeper.policy.levels import Policies
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.memory import WatchOnly
from keeper.store.tables.watching import ChainStatus, MarketStatus
from keeper.store.types import now


def below(market: Market, valued: MarketValuation, policies: Policies) -> int:
    """How many accounts of a market are below any threshold of theirs."""
    return sum(bool(policies.crossed(market.name, v)) for v in valued.valuations) + valued.below_unvalued


def write_market(
    session: Session, chain: str, market: Market, valued: MarketValuation, policies: Policies
) -> None:
    """Write the market's row; alert when acting stopped, was tried again or resumed at this block."""
    state = market.book.state
    block, halted = valued.head.number, valued.memory.watch_only
    if valued.newly_stopped:
        market_alerts.stopped(session, market.name, block, valued.newly_stopped, halted.retry_wait)
    for part, why in valued.newly_suspended.items():
        is_listed = not market.is_strangers(part)
        market_alerts.suspended(session, market.name, block, part, why, is_listed=is_listed)
    if valued.retried:
        market_alerts.retried(session, market.name, block, valued.retried)
    if valued.resumed:
        market_alerts.resumed(session, market.name, block, "; ".join(valued.resumed))
    session.merge(
        MarketStatus(
            market=market.name,
            chain=chain,
            block=valued.head.number,
            block_hash=valued.head.hash,
            block_timestamp=valued.head.timestamp,
            revision=market.adapter.valuer.revision(state),
            version=market.adapter.valuer.version(state) or "",
            may_act=valued.acting,
            watch_only_reason=halted.reason or _suspended(halted),
            accounts=valued.accounts,
            breaches=below(market, valued, policies),
            unvaluable=len(valued.unvaluable),
            updated_at=now(),
        )
    )


def _suspended(halted: WatchOnly) -> str:
    if not halted.parts:
        return ""
    return f"not acted in {len(halted.parts)} parts of it: {next(iter(halted.parts.values()))}"


def write_chain(
    session: Session, chain: str, mode: Mode, head: Head, halt_reason: str, requests: int
) -> None:
    """Write the chain's row: reached at `head`; `halt_reason` says why nothing is sent."""
    row = session.get(ChainStatus, chain) or ChainStatus(chain=chain, mode=mode)
    row.mode, row.block, row.block_timestamp = mode, head.number, head.timestamp
    row.reachable, row.reason = True, halt_reason
    row.requests, row.updated_at = requests, now()
    session.add(row)


def write_acted(session: Session, chain: str, mode: Mode, block: int, standby_reason: str) -> None:
    """Write the block at which the acting loop last worked and, if it sends nothing, why."""
    row = session.get(ChainStatus, chain) or ChainStatus(chain=chain, mode=mode)
    row.acted_block, row.updated_at = block, now()
    row.standby_reason = standby_reason
    session.add(row)


def write_unreachable(session: Session, chain: str, mode: Mode, error: str) -> None:
    """Write that the chain does not answer, and alert once per outage."""
    row = session.get(ChainStatus, chain) or ChainStatus(chain=chain, mode=mode)
    if row.reachable:
        row.updated_at = now()
    row.reachable, row.reason = False, error
    session.add(row)
    keeper_alerts.chain_unreachable(session, chain, row.updated_at.isoformat(), error)
