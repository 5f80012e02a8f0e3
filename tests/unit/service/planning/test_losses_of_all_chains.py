"""Chains that decide at once share the day's losses: who writes last gives up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlmodel import select

from keeper.chain.blocks import Head
from keeper.model.money import Rate
from keeper.policy.choose import Decision
from keeper.service.chain_context import ChainContext
from keeper.service.planning.costs import losses_of_a_day
from keeper.service.planning.retry_policy import DAY, RetryPolicy
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState, Unsent
from keeper.store.tables.watching import Episode
from tests.unit.chain.test_block_time import head
from tests.unit.execution.test_batching import plan
from tests.unit.service.planning.test_ceilings import settings

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/keeper.db")


def write(store: Store, chain: str, loss: int, at: Head) -> Intent | None:
    """What one chain journals of a plan that was decided before it knew of the other's."""
    with store.session() as session:
        episode = Episode(
            market=chain, account="0xf", threshold="t", opened_block=1, opened_health=1, lowest_health=1
        )
        session.add(episode)
        session.flush()
        run = SimpleNamespace(name=chain, rate=Rate())
        levels = SimpleNamespace(protection=None)
        wanted = SimpleNamespace(
            market=run, valuation=SimpleNamespace(health=1), levels=levels, episode=episode
        )
        decided = Decision(cast(Any, None), replace(plan(1), market=chain, loss=loss * 10**18))
        own = settings(1, policy={"realize_bad_debt": True, "max_bad_debt_loss": 10}).of_chain("c")
        pool, policies = cast(Any, SimpleNamespace(name=chain)), cast(Any, SimpleNamespace(owner=None))
        context = ChainContext(pool, store, own, policies, [], "live", "0x" + "11" * 20)
        return RetryPolicy(context).commit_intent(session, at, cast(Any, wanted), decided)


def test_the_days_losses_hold_where_two_chains_decide_at_once(store: Store) -> None:
    now = head(100, 10 * DAY)
    assert write(store, "a", 60, now) is not None
    assert write(store, "b", 60, now) is None, "sixty of it are gone"
    assert write(store, "c", 0, now) is not None, "what loses nothing is not held up"
    assert write(store, "d", 40, now) is not None, "and what was refused has lost nothing"
    with store.session() as session:
        refused = session.exec(select(Intent).where(Intent.market == "b")).one()
        assert (refused.state, refused.unsent) == (IntentState.REFUSED, Unsent.LIMIT)
        assert [a for a in session.exec(select(Alert)).all() if "bad debt" in a.body]
    assert write(store, "e", 100, head(200, 12 * DAY)) is not None, "a day later"


def test_the_limit_is_the_configured_one() -> None:
    policy = {"realize_bad_debt": True, "max_bad_debt_loss": 5}
    assert losses_of_a_day(settings(1, policy=policy).policy) == 50 * 10**18
    assert (
        losses_of_a_day(settings(1, policy={**policy, "max_bad_debt_loss_per_day": 7}).policy) == 7 * 10**18
    )
