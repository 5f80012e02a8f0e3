"""Alerts about a market and its book: each once per block at which it began."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from keeper.alerts.outbox import Severity, alert


def stopped(session: Session, market: str, block: int, why: str, again: int) -> None:
    """Alert that our numbers are not the contract's, or its arithmetic is unknown; tried again in `again`
    seconds."""
    title = f"market {market} is watched only: {why}"
    next_try = f"in {again} s, then at growing intervals"
    _alert(session, market, block, "watch_only", "critical", title, why=why, next_try=next_try)


def suspended(session: Session, market: str, block: int, part: str, why: str, *, is_listed: bool) -> None:
    """Alert as `stopped` does, for one part of a market; only a warning for a stranger's, where nobody
    waits."""
    title = f"market {market} is watched only in its part {part}: {why}"
    severity: Severity = "critical" if is_listed else "warning"
    once = f"{part}:{block // 7_200}"
    _alert(session, market, block, "part_watch_only", severity, title, once=once, why=why)


def strangers_silent(session: Session, market: str, block: int, day: int, parts: Sequence[str]) -> None:
    """Alert that unlisted markets, which anybody made, have no price now; nothing would be done there
    anyway."""
    title = f"{market}: {len(parts)} markets that nobody listed cannot be valued now"
    _alert(session, market, block, "strangers_silent", "warning", title, once=f"day {day}", first=parts[0])


def undone(session: Session, market: str, block: int, day: str, what: str, why: str) -> None:
    """Alert, once per day, that the market's unpaid work is left to others."""
    title = f"{market}: {what} is left to others: {why}"
    _alert(session, market, block, "chore_undone", "warning", title, once=f"day {day}", why=why)


def retried(session: Session, market: str, block: int, why: str) -> None:
    """Alert that a stopped market was compared anew and still differs."""
    title = f"market {market} was tried again and stays watched only: {why}"
    _alert(session, market, block, "market_retried", "info", title, why=why)


def resumed(session: Session, market: str, block: int, was: str) -> None:
    """Alert that a stopped market was compared anew and agrees."""
    title = f"market {market} is acted in again: our numbers are the contract's"
    _alert(session, market, block, "market_resumed", "info", title, was=was)


def failed(session: Session, market: str, block: int, why: str, kind: str = "") -> None:
    """Alert that a market could not be brought up to date; once per kind of cause and hundred blocks, as a
    stranger's words can differ at every block."""
    title = f"market {market} could not be read: {why}"
    once = f"{block // 100}:{kind or why[:80]}"
    _alert(session, market, block, "market_failed", "critical", title, once=once, why=why)


def rebuilt(session: Session, market: str, block: int) -> None:
    """Alert that a reorg went deeper than the book remembers, and everything was read again."""
    title = f"{market}: a reorg went deeper than the blocks remembered; the book was rebuilt from nothing"
    _alert(session, market, block, "book_rebuilt", "warning", title)


def silent_change(session: Session, market: str, block: int, accounts: list[str]) -> None:
    """Alert that accounts changed without an event: a node withholds logs, or the market has events unknown
    to us."""
    title = f"{market}: {len(accounts)} accounts changed without an event; all accounts are read again"
    _alert(session, market, block, "silent_change", "warning", title, accounts=", ".join(accounts[:10]))


def unbalanced(session: Session, market: str, block: int, why: str) -> None:
    """Alert that our accounts do not add up to the protocol's own total: some are unknown to us, or out of
    date."""
    title = f"{market}: {why}. All accounts are read again; check that from_block is not too late"
    _alert(session, market, block, "unbalanced", "warning", title, why=why)


def _alert(
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
    alert(
        session,
        dedup_key=f"market:{market}:{kind}:{once or block}",
        kind=kind,
        severity=severity,
        market=market,
        title=title,
        fields={**fields, "block": str(block)},
    )
