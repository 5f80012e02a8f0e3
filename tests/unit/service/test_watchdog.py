"""A loop that decides no more is told of, once a silence, by whoever shares nothing with it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.service.watchdog import Pulse, Watchdog
from keeper.store.database import Store, open_store
from keeper.store.tables.alerts import Alert

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/keeper.db")


def _nobody(kind: str, severity: str, title: str, why: str) -> None:
    raise AssertionError(f"told without the store: {title}")


def _alerts(store: Store) -> list[str]:
    with store.session() as session:
        return [row.title for row in session.exec(select(Alert)).all()]


@pytest.mark.parametrize(
    ("block_seconds", "quiet", "told"),
    [(0.25, 60, False), (0.25, 61, True), (12, 120, False), (12, 121, True), (0, 61, True)],
)
def test_silence_is_ten_blocks_and_a_minute_at_least(
    store: Store, block_seconds: float, quiet: float, told: bool
) -> None:
    Watchdog(store, {}, _nobody).look("x", Pulse(1000.0, block_seconds), 1000.0 + quiet)
    assert bool(_alerts(store)) is told


def test_each_silence_is_told_once_and_the_next_anew(store: Store) -> None:
    dog = Watchdog(store, {}, _nobody)
    for moment in (100.0, 101.0, 102.0):
        dog.look("x", Pulse(0.0), moment)
    assert len(_alerts(store)) == 1 and "no block was decided for 100 s" in _alerts(store)[0]
    dog.look("x", Pulse(102.0), 103.0)
    dog.look("x", Pulse(102.0), 190.0)
    assert len(_alerts(store)) == 2


def test_it_is_told_while_every_lock_of_a_loop_is_held(store: Store) -> None:
    """Nothing but a number is read of a loop."""
    loop = threading.Lock()
    with loop:
        dog = Watchdog(store, {"x": lambda: Pulse(-1000.0)}, _nobody, looks_each=0.01)
        dog.start()
        for _ in range(500):
            if _alerts(store):
                break
            threading.Event().wait(0.01)
        dog.stop()
    assert len(_alerts(store)) == 1


def test_where_the_store_takes_nothing_it_is_told_without_it(store: Store) -> None:
    told: list[str] = []
    dog = Watchdog(store, {}, lambda kind, severity, title, why: told.append(title))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alert")
    dog.look("x", Pulse(0.0), 100.0)
    dog.look("x", Pulse(0.0), 101.0)
    assert len(told) == 1 and "no block was decided for 100 s" in told[0]
