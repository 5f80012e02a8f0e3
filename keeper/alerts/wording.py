"""Accounts, numbers and times as people read them in alerts and tables."""

from __future__ import annotations

from datetime import UTC, datetime

from keeper.book.source import owner_of, part_of


def short(account: str) -> str:
    """An account, with the beginning of what names the part of the market it is held in."""
    part = part_of(account)
    return f"{owner_of(account)} {part[:10]}" if part else account


def ratio(health: int | None) -> str:
    """Health for people: four digits after the point, truncated so that 0.99999 never reads as 1."""
    if health is None:
        return "no debt"
    whole, rest = divmod(health, 10**18)
    return f"{whole}.{rest // 10**14:04d}"


def moment(timestamp: int | None) -> str:
    """A Unix time for people, UTC; empty for none."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if timestamp else ""
