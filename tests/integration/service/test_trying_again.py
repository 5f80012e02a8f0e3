"""A difference is first taken for a stale record; a market that was stopped is tried again by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.chain import blocks
from keeper.chain.answers import NodeError
from keeper.localchain import aave_actions as act
from keeper.model.valuation import Valuation
from keeper.service.chain_loop import ChainLoop
from keeper.service.watching.memory import FIRST_RETRY
from tests.integration.service.test_watch_only import Watch as Watching
from tests.integration.service.test_watch_only import Wrapped, watch
from tests.support import aave_users
from tests.support.ticks import halted, last_valuations, look, no_sample

__all__ = ["watch"]
pytestmark = pytest.mark.integration


def _later(watch: Watching, deciding: ChainLoop, seconds: int) -> None:
    """A block so many seconds on, worked at."""
    watch.local.rpc.call("evm_increaseTime", seconds)
    watch.local.anvil.mine()
    look(deciding)


def test_a_record_that_changed_without_an_event_does_not_stop_the_market(
    watch: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books, too large to be read again at once, say that somebody owes what he has long repaid; prices
    fall in the same block."""
    monkeypatch.setattr("keeper.service.watching.value.READ_AT_ONCE", 0)
    deciding = watch.start()
    look(deciding)
    [run] = deciding.markets
    no_sample(monkeypatch)
    stale, other = sorted(v.account for v in last_valuations(deciding) if v.maintenance)[:2]
    before = run.book.record(stale)
    assert before is not None
    market, dai = watch.local.market, watch.local.market.reserves["DAI"]
    watch.send(
        act.mint(market, dai, stale, 10**22),
        act.approve(market, dai, stale),
        aave_users.repay(market, dai, stale, 10**22),
    )
    look(deciding)
    run.book._put({stale: before})
    watch.price(1000)
    look(deciding)
    assert watch.status().may_act and watch.alerts("watch_only") == []
    acted = {intent.account for intent in watch.intents()}
    assert other in acted and stale not in acted
    assert [stale in alert.body for alert in watch.alerts("silent_change")] == [True]
    head = blocks.latest(deciding.pool)
    now = {v.account: v for v in last_valuations(deciding)}
    assert now == run.book.views(head, sorted(now)) and now[stale].maintenance < now[other].maintenance


def test_where_one_record_is_found_stale_everybody_is_read_again_in_the_same_block(
    watch: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node withheld the events of two accounts, and the block's sample has one of them."""
    deciding = watch.start()
    look(deciding)
    [run] = deciding.markets
    no_sample(monkeypatch)
    seen, unseen = sorted(v.account for v in last_valuations(deciding) if v.maintenance)[:2]
    before = {account: run.book.record(account) or b"" for account in (seen, unseen)}
    market, dai = watch.local.market, watch.local.market.reserves["DAI"]
    for who in before:
        watch.send(
            act.mint(market, dai, who, 10**20),
            act.approve(market, dai, who),
            aave_users.repay(market, dai, who, 10**20),
        )
    look(deciding)
    run.book._put(before)
    name = "keeper.service.watching.value.next_sample"
    monkeypatch.setattr(name, lambda market, memory, protected: ([seen], memory.turn))
    watch.local.anvil.mine()
    look(deciding)
    assert [seen in alert.body for alert in watch.alerts("silent_change")] == [True]
    assert run.book.head == blocks.latest(deciding.pool)
    assert all(run.book.record(account) != stale for account, stale in before.items())

    def busy(*_: object) -> None:
        raise NodeError("is busy", where="node")

    # Where no node tells more now, the market is valued all the same, and the next block heals it.
    watch.local.anvil.mine()
    look(deciding)
    run.book._put(before)
    with monkeypatch.context() as troubled:
        troubled.setattr(run.book, "read_again", busy)
        watch.local.anvil.mine()
        look(deciding)
    assert run.book.head == blocks.latest(deciding.pool) and deciding.troubles.failed_at == {}
    watch.local.anvil.mine()
    look(deciding)
    assert all(run.book.record(account) != stale for account, stale in before.items())


def test_a_stopped_market_is_tried_again_at_growing_intervals_and_that_is_told(
    watch: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    deciding = watch.start()
    look(deciding)
    [run] = deciding.markets
    adapter = run.adapter
    victim = next(v for v in last_valuations(deciding) if v.health is not None)

    def wrong(*arguments: object) -> list[Valuation]:
        return [
            replace(v, maintenance=v.maintenance + 1) if v.account == victim.account else v
            for v in adapter.valuer.value_records(*arguments)  # type: ignore[arg-type]
        ]

    monkeypatch.setattr(deciding, "markets", [replace(run, adapter=Wrapped(adapter, wrong))])  # type: ignore[arg-type]
    _later(watch, deciding, 1)
    assert not watch.status().may_act
    [told] = watch.alerts("watch_only")
    assert f"in {FIRST_RETRY} s" in told.body
    waits = [halted(deciding).retry_wait]
    for _ in range(3):
        _later(watch, deciding, halted(deciding).retry_wait + 1)
        waits.append(halted(deciding).retry_wait)
    assert waits == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert len(watch.alerts("market_retried")) == 3 and len(watch.alerts("watch_only")) == 1
    monkeypatch.undo()
    _later(watch, deciding, 1)
    assert not watch.status().may_act, "it is not due yet"
    _later(watch, deciding, halted(deciding).retry_wait + 1)
    assert watch.status().may_act and watch.status().watch_only_reason == ""
    assert len(watch.alerts("market_resumed")) == 1
    watch.price(1000)
    look(deciding)
    assert watch.intents()


def test_a_view_that_was_starved_is_asked_for_alone_before_a_market_is_stopped(
    watch: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    deciding = watch.start()
    look(deciding)
    [run] = deciding.markets
    read_views, calls = run.book.read_views, []

    def starved(accounts: list[str], answers: list[object]) -> dict[str, Valuation]:
        found = read_views(accounts, answers)  # type: ignore[arg-type]
        calls.append(len(accounts))
        return found if len(calls) > 1 else {}

    monkeypatch.setattr(run.book, "read_views", starved)
    _later(watch, deciding, 1)
    assert watch.status().may_act and len(calls) == 2
