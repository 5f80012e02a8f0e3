"""Accounts, numbers and times as people read them in alerts and tables."""

from __future__ import annotations

# As many characters as an address has, and as many of what follows.
_WHOLE, _MORE = 42, 8


def format_account(key: str) -> str:
    """An account's key, whole as far as an address goes; of a longer one a little more is enough."""
    return key if len(key) <= _WHOLE else f"{key[:_WHOLE]} 0x{key[_WHOLE : _WHOLE + _MORE]}"
