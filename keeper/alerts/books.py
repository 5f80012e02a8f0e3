"""What is worth telling of a market's book: that it was rebuilt, or that somebody says too little."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts.outbox import tell


def rebuilt(session: Session, market: str, block: int) -> None:
    """The chain was left deeper than the book remembers: everything was read again."""
    tell(
        session,
        once=f"book:{market}:rebuilt:{block}",
        kind="book_rebuilt",
        severity="warning",
        market=market,
        title=f"{market}: a reorg went deeper than the blocks remembered; the book was rebuilt from nothing",
        fields={"block": str(block)},
    )


def silent_change(session: Session, market: str, block: int, accounts: list[str]) -> None:
    """Accounts changed without an event: a node withholds logs, or the market has events unknown to us."""
    tell(
        session,
        once=f"book:{market}:silent:{block}",
        kind="silent_change",
        severity="warning",
        market=market,
        title=f"{market}: {len(accounts)} accounts changed without an event; all accounts are read again",
        fields={"block": str(block), "accounts": ", ".join(accounts[:10])},
    )


def unbalanced(session: Session, market: str, block: int, why: str) -> None:
    """Our accounts do not add up to the protocol's own total: some are unknown to us, or out of date."""
    tell(
        session,
        once=f"book:{market}:unbalanced:{block}",
        kind="unbalanced",
        severity="warning",
        market=market,
        title=f"{market}: {why}. All accounts are read again; check that from_block is not too late",
        fields={"block": str(block), "why": why},
    )
