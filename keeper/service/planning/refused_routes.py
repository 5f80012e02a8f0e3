"""Routes and tokens that were tried for an account in its present episode, and refused."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set

from sqlmodel import col, select

from keeper.execution.rehearsal import is_needless
from keeper.model.plan import CURES, REWARDED, Kind, Plan
from keeper.policy.routes import Route, of_the_moment, refused
from keeper.store.database import Store
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState

_AT_ONCE = 900
_REFUSED = (IntentState.REFUSED, IntentState.FAILED)


def ways(store: Store, episodes: Iterable[int]) -> dict[int, Sequence[Route]]:
    """By episode (id), the ways of liquidating that rehearsals or blocks refused."""
    return {episode: refused(each) for episode, each in _attempts(store, episodes, REWARDED).items()}


def tokens(store: Store, episodes: Iterable[int]) -> dict[int, Counter[str]]:
    """By episode (id), the tokens (lower case) whose top-ups were refused, and how often. A token whose
    top-up fails its postcondition repeatedly keeps a part of what is transferred."""
    found = {}
    for episode, attempts in _attempts(store, episodes, CURES).items():
        refusals, doubts = Counter[str](), Counter[str]()
        for plan, reason in attempts:
            if not of_the_moment(reason):
                refusals[plan.spend.token.lower()] += 1
            elif "the postcondition fails" in reason:
                doubts[plan.spend.token.lower()] += 1
        found[episode] = refusals + Counter({token: count - 1 for token, count in doubts.items()})
    return found


def _attempts(store: Store, episodes: Iterable[int], kinds: Set[Kind]) -> dict[int, list[tuple[Plan, str]]]:
    """Plans that were refused, with the reason; without those that were held up, or needed no more."""
    found: dict[int, list[tuple[Plan, str]]] = defaultdict(list)
    numbers = list(episodes)
    with store.session() as session:
        for start in range(0, len(numbers), _AT_ONCE):
            rows = session.exec(
                select(Intent.episode_id, Intent.plan, Intent.reason).where(
                    col(Intent.episode_id).in_(numbers[start : start + _AT_ONCE]),
                    col(Intent.kind).in_(kinds),
                    col(Intent.state).in_(_REFUSED),
                    Intent.unsent == "",
                )
            )
            for episode, text, reason in rows:
                plan = Plan.from_json(text)
                if not is_needless(reason, plan.errors):
                    found[episode].append((plan, reason))
    return found
