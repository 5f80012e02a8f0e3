"""The states of an intent and of a transaction, and the moves between them.

docs/LIFECYCLE.md describes the same for people, with what a restart does in each state.
"""

from __future__ import annotations

from collections.abc import Mapping

from keeper.errors import KeeperError
from keeper.store.tables.states import IntentState as I
from keeper.store.tables.states import TransactionState as T

INTENT_MOVES: Mapping[I, frozenset[I]] = {
    I.PLANNED: frozenset({I.REHEARSED, I.REFUSED, I.EXPIRED}),
    I.REHEARSED: frozenset({I.SETTLED, I.FAILED, I.EXPIRED}),
    I.SETTLED: frozenset({I.REHEARSED, I.FAILED, I.EXPIRED}),
    I.FAILED: frozenset({I.REHEARSED, I.SETTLED, I.EXPIRED}),
    I.EXPIRED: frozenset({I.REHEARSED, I.SETTLED, I.FAILED}),
    I.REFUSED: frozenset(),
}
"""Only a reorganisation of the chain leads away from settled, failed and expired."""

TRANSACTION_MOVES: Mapping[T, frozenset[T]] = {
    T.SIGNED: frozenset({T.SENT, T.INCLUDED, T.REPLACED, T.DROPPED}),
    T.SENT: frozenset({T.INCLUDED, T.REPLACED, T.DROPPED}),
    T.INCLUDED: frozenset({T.FINAL, T.ORPHANED}),
    T.ORPHANED: frozenset({T.SENT, T.INCLUDED, T.REPLACED, T.DROPPED}),
    T.REPLACED: frozenset({T.INCLUDED, T.DROPPED}),
    T.FINAL: frozenset(),
    T.DROPPED: frozenset(),
}
"""A replaced transaction may still be the one that a block includes."""

UNMINED = frozenset({T.SIGNED, T.SENT, T.ORPHANED})
"""Transactions that hold their nonce and are in no block now."""
LIVE = UNMINED | {T.INCLUDED}
"""Transactions that hold their nonce: at most one at each."""
UNDECIDED = LIVE | {T.REPLACED}
"""Transactions that may still become, or cease to be, part of the chain."""


class LifecycleError(KeeperError):
    """A move that the lifecycle does not know: the keeper's own fault."""


def check_intent(before: I, after: I) -> None:
    """Raise LifecycleError unless `before` may lead to `after`."""
    if after not in INTENT_MOVES[before]:
        raise LifecycleError(f"an intent cannot go from {before} to {after}", where="journal")


def check_transaction(before: T, after: T) -> None:
    """Raise LifecycleError unless `before` may lead to `after`."""
    if after not in TRANSACTION_MOVES[before]:
        raise LifecycleError(f"a transaction cannot go from {before} to {after}", where="journal")
