"""Accounts, numbers and times formatted for people in alerts and tables."""

from __future__ import annotations

import json
from types import MappingProxyType

from keeper.model.account_key import NUMBER_LETTERS, account_name

# As many characters as an address has, and as many of what follows.
_WHOLE, _MORE = 42, 8

PAST = MappingProxyType(
    {
        "liquidate": "liquidated",
        "top_up": "topped up",
        "reduce": "reduced",
        "settle": "settled",
        "redeem": "redeemed",
    }
)
"""By kind, the past tense of what an intent did."""


def format_summary(summary: str) -> str:
    """What a plan does, from an intent's summary (JSON): every entry that has an amount."""
    found: dict[str, str] = json.loads(summary)
    return ", ".join(f"{action} {value}" for action, value in found.items() if " " in value)


def format_account(key: str) -> str:
    """A number in decimal; any other key whole up to an address's length, and a little more of a longer
    one."""
    if len(key) == NUMBER_LETTERS:
        return account_name(key)
    return key if len(key) <= _WHOLE else f"{key[:_WHOLE]} 0x{key[_WHOLE : _WHOLE + _MORE]}"
