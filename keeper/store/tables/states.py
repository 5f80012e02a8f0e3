"""The states of intents and transactions."""

from __future__ import annotations

from enum import StrEnum


class IntentState(StrEnum):
    """An attempt's state: planned → rehearsed → settled; refused, expired and failed end it without success.

    The transitions are in `keeper/execution/lifecycle.py` and docs/LIFECYCLE.md."""

    PLANNED = "planned"
    REHEARSED = "rehearsed"
    REFUSED = "refused"
    EXPIRED = "expired"
    SETTLED = "settled"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        return self in OPEN_INTENTS


class Unsent(StrEnum):
    """What kept an attempt from being sent, or took it back, through no fault of its plan: it is no
    failure."""

    GAS_PRICE = "gas price"
    NO_ANSWER = "no answer"
    LIMIT = "limit"
    WATCH_ONLY = "watch only"
    AGED = "aged"
    """The prices that it was to bring became too old meanwhile."""
    REORGANISED = "reorganised"
    """A reorg took back the block that included it, and a later attempt is under way."""


OPEN_INTENTS = frozenset({IntentState.PLANNED, IntentState.REHEARSED})


class TransactionState(StrEnum):
    """A transaction's state: signed → sent → included → final. Replaced by one of ours at the same nonce,
    dropped when that nonce is finally another's, orphaned when its block left the chain."""

    SIGNED = "signed"
    SENT = "sent"
    INCLUDED = "included"
    FINAL = "final"
    REPLACED = "replaced"
    DROPPED = "dropped"
    ORPHANED = "orphaned"
