"""Which ways of liquidating an account were refused in its present episode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlmodel import col, select

from keeper.plan import Plan
from keeper.policy.ways import Way, refused
from keeper.store.database import Store
from keeper.store.tables import Intent, IntentState

_AT_ONCE = 900
_REFUSED = (IntentState.REFUSED, IntentState.FAILED)


def ways(store: Store, episodes: Iterable[int]) -> dict[int, Sequence[Way]]:
    """By episode (id), the ways that rehearsals or blocks refused."""
    attempts: dict[int, list[tuple[Plan, str]]] = defaultdict(list)
    numbers = list(episodes)
    with store.session() as session:
        for at in range(0, len(numbers), _AT_ONCE):
            some = numbers[at : at + _AT_ONCE]
            rows = session.exec(
                select(Intent.episode_id, Intent.plan, Intent.reason).where(
                    col(Intent.episode_id).in_(some),
                    Intent.kind == "liquidate",
                    col(Intent.state).in_(_REFUSED),
                )
            )
            for episode, plan, reason in rows:
                attempts[episode].append((Plan.from_json(plan), reason))
    return {episode: refused(each) for episode, each in attempts.items()}
