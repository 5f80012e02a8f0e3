"""What was tried for an account in its present episode, and refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlmodel import col, select

from keeper.plan import Kind, Plan
from keeper.policy.ways import Way, refused
from keeper.store.database import Store
from keeper.store.tables import Intent, IntentState

_AT_ONCE = 900
_REFUSED = (IntentState.REFUSED, IntentState.FAILED)


def ways(store: Store, episodes: Iterable[int]) -> dict[int, Sequence[Way]]:
    """By episode (id), the ways of liquidating that rehearsals or blocks refused."""
    return {episode: refused(each) for episode, each in _attempts(store, episodes, "liquidate").items()}


def tokens(store: Store, episodes: Iterable[int]) -> dict[int, frozenset[str]]:
    """By episode (id), the tokens with which a top-up was refused, lower case."""
    return {
        episode: frozenset(plan.spend.token.lower() for plan, _ in each)
        for episode, each in _attempts(store, episodes, "top_up").items()
    }


def _attempts(store: Store, episodes: Iterable[int], kind: Kind) -> dict[int, list[tuple[Plan, str]]]:
    """Plans that were refused, with the reason."""
    found: dict[int, list[tuple[Plan, str]]] = defaultdict(list)
    numbers = list(episodes)
    with store.session() as session:
        for at in range(0, len(numbers), _AT_ONCE):
            rows = session.exec(
                select(Intent.episode_id, Intent.plan, Intent.reason).where(
                    col(Intent.episode_id).in_(numbers[at : at + _AT_ONCE]),
                    Intent.kind == kind,
                    col(Intent.state).in_(_REFUSED),
                )
            )
            for episode, plan, reason in rows:
                found[episode].append((Plan.from_json(plan), reason))
    return found
