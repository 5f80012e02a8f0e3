"""A crowd a version for the whole session; each test works on a snapshot of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crowd import Crowd
from tests.support.crowd import crowd as make_crowd

SEED = 20_250


@pytest.fixture(scope="session", params=["3.0.2", "3.6"])
def crowd_session(request: pytest.FixtureRequest) -> Iterator[Crowd]:
    """Some hundred random accounts in a random market; use `crowd`."""
    with make_crowd(request.param, SEED) as made:
        yield made


@pytest.fixture
def crowd(crowd_session: Crowd) -> Iterator[Crowd]:
    """The crowd on each version; what the test does to it is undone."""
    snapshot = crowd_session.anvil.snapshot()
    crowd_session.dice.seed(SEED)
    crowd_session.look()
    yield crowd_session
    crowd_session.anvil.revert(snapshot)
