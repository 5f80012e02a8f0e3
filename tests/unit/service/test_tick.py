"""One block of one chain: what happens in which order, and what happens all the same where a part fails."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from keeper.chain.blocks import Head
from keeper.errors import UnreachableError
from keeper.service.tick import ChainLoops, advance, tick

pytestmark = pytest.mark.unit

HEAD = Head(7, "0x07", "0x06", 1_000, 1, 30_000_000)


class Loop:
    """Both loops' parts, each noting that it was called; `fails` names the one that does not work."""

    def __init__(self, fails: str = "", error: Exception | None = None, held: str = "") -> None:
        self.seen: list[str] = []
        self.fails, self.error, self.halt_reason = fails, error or RuntimeError("a fault"), held
        self.head: Head | None = None
        self.pool, self.mode = SimpleNamespace(name="c"), "live"
        self.standby_reason, self.leading = "", True
        self.store = SimpleNamespace(session=nullcontext)

    def __getattr__(self, name: str) -> Any:
        def part(*_: Any, **__: Any) -> Any:
            self.seen.append(name)
            if name == self.fails:
                raise self.error
            if name == "end":
                self.head = HEAD
            if name == "bring_prices":
                return HEAD
            return 1_012 if name == "next_timestamp" else []

        return part


@pytest.fixture(autouse=True)
def no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written of the acting loop is not this test's."""
    monkeypatch.setattr("keeper.service.reporting.status.write_acted", lambda *_: None)


def both(loop: Loop) -> ChainLoops:
    return ChainLoops(loop, loop)  # type: ignore[arg-type]


DECIDING = ["begin", "bring_prices", "value", "check_halt", "judge"]
DECIDING += ["confirm", "with_work", "plan_all", "commit", "end"]


def test_what_was_decided_is_committed_before_anybody_acts_and_told_of_after() -> None:
    loop = Loop()
    result = tick(both(loop), HEAD)
    assert loop.seen == ["settle", *DECIDING, "next_timestamp", "carry", "report"]
    assert result.head == HEAD


def test_where_nobody_acts_the_markets_are_looked_at_all_the_same() -> None:
    loop = Loop()
    tick(ChainLoops(loop), HEAD)  # type: ignore[arg-type]
    assert loop.seen == [*DECIDING, "report"]


def test_what_was_seen_is_written_down_whatever_comes_of_acting() -> None:
    loop = Loop("carry")
    with pytest.raises(RuntimeError):
        tick(both(loop), HEAD)
    assert loop.seen[-2:] == ["carry", "report"]


def test_where_no_node_tells_what_became_of_ours_accounts_are_valued_all_the_same() -> None:
    loop = Loop("settle", UnreachableError("gone"))
    tick(both(loop), HEAD)
    assert loop.seen[:4] == ["settle", "begin", "bring_prices", "value"] and "carry" in loop.seen


def test_nothing_is_sent_for_what_could_not_be_decided_or_committed() -> None:
    for part in ("value", "judge", "confirm", "plan_all", "commit"):
        loop = Loop(part)
        with pytest.raises(RuntimeError):
            tick(both(loop), HEAD)
        assert "carry" not in loop.seen, part


def test_a_halted_chain_is_watched_and_nothing_is_sent() -> None:
    loop = Loop(held="the sequencer is down")
    tick(both(loop), HEAD)
    assert "carry" not in loop.seen and loop.seen[-1] == "report"


def test_a_block_is_acted_on_once() -> None:
    chain = both(Loop())
    tick(chain, HEAD)
    assert chain.acted_at == HEAD.number and advance(chain) is False
