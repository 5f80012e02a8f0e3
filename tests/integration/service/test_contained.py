"""Whatever goes wrong with one market is that market's trouble: told, never fatal, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_abi.exceptions import InsufficientDataBytes
from sqlalchemy.exc import DataError
from sqlmodel import delete, select
from structlog.testing import capture_logs

from keeper.errors import ConfigError
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import Market
from keeper.service.watching import breaches
from keeper.store.tables.alerts import Alert
from tests.integration.book.test_together import _deciding, markets
from tests.support.ticks import look

__all__ = ["markets"]
pytestmark = pytest.mark.integration

REVERTING, SILENT = "60006000fd", "00"
ERRORS = [
    IndexError("tuple index out of range"),
    OverflowError("Python int too large to convert to SQLite INTEGER"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ValueError("not an integer"),
    InsufficientDataBytes("Tried to read 32 bytes, only got 0 bytes"),
    KeyError("0xabc"),
    RecursionError("maximum recursion depth exceeded"),
    ConfigError("does not answer as an Aave v3 pool"),
    MemoryError(),
    DataError("INSERT", {}, Exception("bigint out of range")),
]
PLACES = [
    "market_call",
    "read_market",
    "reference",
    "covers",
    "read_records",
    "touched",
    "log_filter",
    "view_call",
    "read_view",
    "sums",
    "unbalanced",
    "priced_assets",
    "base_decimals",
    "value_records",
    "weights",
    "market_warnings",
    "revision",
]


@pytest.fixture(autouse=True)
def _unrendered() -> Iterator[None]:
    """To write out the trace of each of so many faults would take most of the time."""
    with capture_logs():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contained")


@pytest.fixture(scope="module")
def shared(markets: tuple[Anvil, list[AaveDeployment]], folder: Path) -> Iterator[ChainLoop]:
    anvil, deployed = markets
    deciding = _deciding(anvil.url, folder, deployed)
    anvil.mine()
    look(deciding)
    yield deciding
    deciding.store.close()


@pytest.fixture
def loop(markets: tuple[Anvil, list[AaveDeployment]], shared: ChainLoop) -> ChainLoop:
    """All well, and nothing told yet."""
    assert _tick(shared, markets[0]) == [True, True, True] and not shared.troubles.failed_at
    with shared.store.session() as session:
        session.exec(delete(Alert))
    return shared


def _tick(loop: ChainLoop, anvil: Anvil) -> list[bool]:
    """Work at a new block; which books are at it."""
    anvil.mine()
    head = look(loop)
    return [run.book.head == head for run in loop.markets]


def _told(loop: ChainLoop) -> list[Alert]:
    with loop.store.session() as session:
        return list(session.exec(select(Alert).where(Alert.kind == "market_failed")).all())


def test_any_kind_of_error_is_one_markets(
    markets: tuple[Anvil, list[AaveDeployment]], loop: ChainLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, error in enumerate(ERRORS):
        _fail(loop, monkeypatch, "read_market", error)
        assert _tick(loop, markets[0]) == [True, False, True], repr(error)
        assert _tick(loop, markets[0]) == [True, False, True], repr(error)
        monkeypatch.undo()
        assert _tick(loop, markets[0]) == [True, True, True] and not loop.troubles.failed_at, repr(error)
        told = _told(loop)
        # Once for each kind, and a second time where a hundred blocks were full.
        assert number < len(told) <= number + 2 and {each.market for each in told} == {"m1"}


def _fail(loop: ChainLoop, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(loop.markets[1].adapter, place, fails)


def test_it_does_not_matter_where_it_goes_wrong(
    markets: tuple[Anvil, list[AaveDeployment]], loop: ChainLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in PLACES:
        _fail(loop, monkeypatch, place, IndexError("list index out of range"))
        for run in loop.markets:
            # Every account is read, so that every place is passed.
            run.book.read_all_next()
        at_head = _tick(loop, markets[0])
        assert (at_head[0], at_head[2]) == (True, True) and loop.troubles.failed_at.keys() == {"m1"}, place
        monkeypatch.undo()
        assert _tick(loop, markets[0]) == [True, True, True] and not loop.troubles.failed_at, place
    assert {told.market for told in _told(loop)} == {"m1"}


def test_what_a_store_refuses_of_one_market_is_that_markets(
    markets: tuple[Anvil, list[AaveDeployment]], loop: ChainLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes no integer above 64 bits; PostgreSQL refuses other things besides."""
    monkeypatch.setattr(loop.markets[1].adapter, "revision", lambda _: 2**255)
    monkeypatch.setattr(loop.markets[1].adapter, "version", lambda _: "3.0.2")
    _tick(loop, markets[0])
    assert {told.market for told in _told(loop)} == {"m1"}


@pytest.mark.parametrize("code", [REVERTING, SILENT])
def test_a_lens_that_is_not_answered_after_the_first_success_is_that_markets_trouble(
    markets: tuple[Anvil, list[AaveDeployment]], loop: ChainLoop, folder: Path, code: str
) -> None:
    anvil, deployed = markets
    broken = deployed[1].pool
    kept = anvil.rpc.text("eth_getCode", broken, "latest")
    for run in loop.markets:
        run.book.save()
    anvil.set_code(broken, bytes.fromhex(code))
    try:
        for _ in range(3):
            assert _tick(loop, anvil) == [True, False, True]
        assert [told.market for told in _told(loop)] == ["m1"]
        again = _deciding(anvil.url, folder, deployed)
        assert _tick(again, anvil) == [True, False, True], "a restart is no first time"
    finally:
        anvil.set_code(broken, bytes.fromhex(kept[2:]))
    assert _tick(loop, anvil) == [True, True, True] and not loop.troubles.failed_at


def test_only_a_market_that_never_was_read_is_the_configurations_fault(
    markets: tuple[Anvil, list[AaveDeployment]], tmp_path: Path
) -> None:
    anvil, deployed = markets
    kept = anvil.rpc.text("eth_getCode", deployed[0].pool, "latest")
    anvil.set_code(deployed[0].pool, bytes.fromhex(REVERTING))
    try:
        with pytest.raises(ConfigError, match="does not answer as"):
            look(_deciding(anvil.url, tmp_path, deployed[:1]))
    finally:
        anvil.set_code(deployed[0].pool, bytes.fromhex(kept[2:]))


def test_a_market_that_cannot_be_judged_or_planned_for_leaves_the_others_theirs(
    markets: tuple[Anvil, list[AaveDeployment]], loop: ChainLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, judged = breaches.judge, []

    def fails(session: Any, run: Market, *rest: Any) -> object:
        if run is loop.markets[1]:
            raise OverflowError("int too big to convert")
        judged.append(run)
        return judge(session, run, *rest)

    monkeypatch.setattr(breaches, "judge", fails)
    _tick(loop, markets[0])
    assert judged == [loop.markets[0], loop.markets[2]]
    assert {told.market for told in _told(loop)} == {"m1"}


@pytest.mark.parametrize("due_in", [(0, 1, 2), (1,), (1, 2)])
def test_planning_that_fails_for_one_market_leaves_the_others_their_plans(
    markets: tuple[Anvil, list[AaveDeployment]],
    loop: ChainLoop,
    monkeypatch: pytest.MonkeyPatch,
    due_in: tuple[int, ...],
) -> None:
    bad = loop.markets[1]

    def plan(head: Any, at: int, due: list[Any], reads: Any = None) -> list[Any]:
        if any(each.market is bad for each in due):
            raise IndexError("pop from empty list")
        return [(each, "planned") for each in due]

    monkeypatch.setattr(loop.planning, "plan", plan)
    breaches: list[Any] = [
        SimpleNamespace(
            market=loop.markets[n],
            valued=SimpleNamespace(refresh=None),
            due=[SimpleNamespace(market=loop.markets[n])],
        )
        for n in due_in
    ]
    head = loop.markets[0].book.head
    assert head is not None
    planned = loop.plan_all(head, breaches)
    assert [each.market for each, _ in planned] == [loop.markets[n] for n in due_in if n != 1]
    assert {told.market for told in _told(loop)} == {"m1"} and loop.troubles.failed_at.keys() == {"m1"}
