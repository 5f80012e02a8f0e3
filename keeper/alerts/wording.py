"""Accounts, numbers and times as people read them in alerts and tables."""

from __future__ import annotations

from keeper.book.source import owner_of, part_of


def format_account(account: str) -> str:
    """An account, with the beginning of what names the part of the market it is held in."""
    part = part_of(account)
    return f"{owner_of(account)} {part[:10]}" if part else account
