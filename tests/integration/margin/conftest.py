"""A crowd a version for the whole session; each test works on a snapshot of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.crowd import Crowd
from tests.support.crowd import crowd as make_crowd

SEED = 20_250
# A soak is many markets with a crowd each: that differs more than a larger crowd in one market.
CROWDS = 10 if os.environ.get("KEEPER_SOAK") else 1
_PARAMS = [(version, SEED + number) for version in ("3.0.2", "3.6") for number in range(CROWDS)]


@pytest.fixture(scope="session", params=_PARAMS, ids=lambda each: f"{each[0]}-{each[1]}")
def crowd_session(request: pytest.FixtureRequest) -> Iterator[Crowd]:
    """Some hundred random accounts in a random market; use `crowd`."""
    version, seed = request.param
    with make_crowd(version, seed) as made:
        yield made


@pytest.fixture
def crowd(crowd_session: Crowd) -> Iterator[Crowd]:
    """The crowd on each version; what the test does to it is undone."""
    snapshot = crowd_session.anvil.snapshot()
    crowd_session.dice.seed(SEED)
    crowd_session.look()
    yield crowd_session
    crowd_session.anvil.revert(snapshot)
