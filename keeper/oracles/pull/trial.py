"""Trials of updates in an `eth_call`: whether their oracles accept them, and for which fee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.chain.calls import OUTCOMES, Answer, outcomes, run
from keeper.chain.head import Head, PreludeCall
from keeper.chain.pool import NodePool
from keeper.model.price_update import PriceUpdate


@dataclass(frozen=True, slots=True)
class TriedUpdate:
    """An update with its oracle's fee, and the revert data of the trial; None where the oracle accepts it."""

    update: PriceUpdate
    reverted: bytes | None


def prelude(updates: Sequence[PriceUpdate]) -> list[PreludeCall]:
    """The prelude that brings these updates before any reads behind it."""
    return [PreludeCall(each.oracle, each.data) for each in updates]


def became(updates: Sequence[PriceUpdate], head: Head, answer: Answer) -> list[TriedUpdate]:
    """The updates of the prelude at `head` with their outcomes, by the answer to `OUTCOMES`."""
    found = dict(zip(head.prelude, outcomes(answer), strict=False))
    tried = []
    for update, call in zip(updates, prelude(updates), strict=True):
        outcome = found.get(call)
        if outcome is not None:
            reverted = None if outcome.ok else outcome.reverted
            tried.append(TriedUpdate(replace(update, fee=outcome.fee), reverted))
    return tried


def tried(pool: NodePool, head: Head, updates: Sequence[PriceUpdate]) -> list[TriedUpdate]:
    """Try these updates at `head`, in one request."""
    behind = replace(head, prelude=tuple(dict.fromkeys(prelude(updates))))
    [answer] = run(pool, behind, [OUTCOMES])
    return became(updates, behind, answer)
