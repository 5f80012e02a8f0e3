"""What is told of a market and of the book of it: each once a block at which it began."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts.outbox import Severity, tell


def stopped(session: Session, market: str, block: int, why: str) -> None:
    """Our numbers are not the contract's, or its arithmetic is unknown."""
    _tell(
        session, market, block, "watch_only", "critical", f"market {market} is watched only: {why}", why=why
    )


def failed(session: Session, market: str, block: int, why: str) -> None:
    """It could not be brought up to date; told once per cause and hundred blocks."""
    title = f"market {market} could not be read: {why}"
    once = f"{block // 100}:{why[:80]}"
    _tell(session, market, block, "market_failed", "critical", title, once=once, why=why)


def rebuilt(session: Session, market: str, block: int) -> None:
    """The chain was left deeper than the book remembers: everything was read again."""
    title = f"{market}: a reorg went deeper than the blocks remembered; the book was rebuilt from nothing"
    _tell(session, market, block, "book_rebuilt", "warning", title)


def silent_change(session: Session, market: str, block: int, accounts: list[str]) -> None:
    """Accounts changed without an event: a node withholds logs, or the market has events unknown to us."""
    title = f"{market}: {len(accounts)} accounts changed without an event; all accounts are read again"
    _tell(session, market, block, "silent_change", "warning", title, accounts=", ".join(accounts[:10]))


def unbalanced(session: Session, market: str, block: int, why: str) -> None:
    """Our accounts do not add up to the protocol's own total: some are unknown to us, or out of date."""
    title = f"{market}: {why}. All accounts are read again; check that from_block is not too late"
    _tell(session, market, block, "unbalanced", "warning", title, why=why)


def _tell(
    session: Session,
    market: str,
    block: int,
    kind: str,
    severity: Severity,
    title: str,
    *,
    once: str = "",
    **fields: str,
) -> None:
    tell(
        session,
        once=f"market:{market}:{kind}:{once or block}",
        kind=kind,
        severity=severity,
        market=market,
        title=title,
        fields={**fields, "block": str(block)},
    )
