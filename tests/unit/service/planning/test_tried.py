"""What was refused for its own sake closes its way; what was held up, late or short for once closes none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.model.plan import Blocked, Plan
from keeper.service.planning import refused_routes
from keeper.service.planning.planner import best_open
from keeper.store.database import Store, open_store
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState, Unsent
from keeper.store.tables.watching import Episode
from tests.unit.execution.test_batching import USDC, WETH, alone, plan

pytestmark = pytest.mark.unit

SHORT = "the postcondition fails: 1 is below 2"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/keeper.db")


def attempts(store: Store, made: list[tuple[Plan, IntentState, str, str]]) -> int:
    """An episode with these attempts: plan, state, reason and what kept it from leaving."""
    with store.session() as session:
        account = f"0x{len(session.exec(select(Episode)).all())}"
        episode = Episode(
            market="m", account=account, threshold="t", opened_block=1, opened_health=1, lowest_health=1
        )
        session.add(episode)
        session.flush()
        assert episode.id is not None
        for number, (each, state, reason, unsent) in enumerate(made, 1):
            session.add(
                Intent(
                    chain="c",
                    market="m",
                    account=account,
                    kind=each.kind,
                    mode="live",
                    episode_id=episode.id,
                    attempt=number,
                    state=state,
                    plan=each.to_json(),
                    summary="{}",
                    health=1,
                    spend=0,
                    gain=0,
                    planned_block=1,
                    planned_timestamp=1,
                    reason=reason,
                    unsent=unsent,
                )
            )
        return episode.id


def test_what_a_limit_or_the_moment_ended_closes_no_way(store: Store) -> None:
    made = [
        (plan(1), IntentState.REFUSED, "max_gas_per_day would be exceeded", Unsent.LIMIT),
        (plan(1), IntentState.FAILED, "reverted on chain", ""),
        (plan(1), IntentState.REFUSED, "act reverts: HealthFactorNotBelowThreshold", ""),
    ]
    episode = attempts(store, made)
    assert not refused_routes.ways(store, [episode]).get(episode)
    closed = attempts(store, [(plan(1), IntentState.REFUSED, "act reverts: paused", "")])
    assert len(refused_routes.ways(store, [closed])[closed]) == 1


def test_a_token_is_refused_by_reverts_and_by_falling_short_again(store: Store) -> None:
    def refused(*reasons: str, unsent: str = "") -> dict[str, int]:
        episode = attempts(store, [(alone(), IntentState.REFUSED, each, unsent) for each in reasons])
        return dict(refused_routes.tokens(store, [episode]).get(episode, {}))

    assert refused("act reverts: paused") == {USDC: 1}
    assert refused(SHORT) == refused("reverted on chain") == {}
    assert refused(SHORT, SHORT, SHORT) == {USDC: 2}
    assert refused("limit", unsent=Unsent.LIMIT) == {}


def sizing(**reached: int) -> Callable[[frozenset[str]], Plan | Blocked]:
    """The first of the tokens that are open reaches so much."""
    tokens = {"usdc": USDC, "weth": WETH}

    def sized(without: frozenset[str]) -> Plan | Blocked:
        for name, health in reached.items():
            if tokens[name] not in without:
                made = alone()
                spend = replace(made.spend, token=tokens[name])
                return replace(made, spend=spend, summary={"health_after": str(health)})
        return Blocked("nothing")

    return sized


@pytest.mark.parametrize(
    ("weth", "refusals", "spent"),
    [
        (100, 1, WETH),  # reaches the target too
        (60, 1, USDC),  # a part only: the token is tried once more
        (60, 2, WETH),  # which was refused again: a part is better than nothing
        (None, 5, USDC),  # nothing else helps
    ],
)
def test_another_token_helps_as_far_as_it_reaches(weth: int | None, refusals: int, spent: str) -> None:
    sized = sizing(usdc=100) if weth is None else sizing(usdc=100, weth=weth)
    found = best_open(sized, {USDC: refusals}, 100)
    assert isinstance(found, Plan) and found.spend.token == spent
