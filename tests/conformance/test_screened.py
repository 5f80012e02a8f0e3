"""Screening and the price index on every protocol's real contracts: whoever can be liquidated is valued."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keeper.book.reads import Reader
from keeper.chain import blocks
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import send_batch
from keeper.service.watching import selection
from keeper.service.watching.market_valuation import MarketRequest, MarketValuation
from keeper.service.watching.memory import BLANK
from keeper.service.watching.selection import Watch
from keeper.service.watching.value import value_together
from tests.conformance.case import Case
from tests.conformance.test_conformance import ACCOUNTS_OPENED, CASES, OTHER, STIRS, WAD
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, reading

pytestmark = pytest.mark.integration

# Troves, which are few, are all valued at every block.
SCREENED = [name for name in CASES if name != "liquity"]
LEVELS = Watch({"liquidate": WAD, "warn": WAD * 105 // 100}, WAD // 100)


@pytest.fixture(params=SCREENED)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CASES[request.param](anvil)


def test_whoever_can_be_liquidated_is_valued_exactly_and_others_need_not_be(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "FOLLOWED", 1)
    monkeypatch.setattr(selection, "SCENARIOS_FROM", 0)
    dice = random.Random(7)
    account = case.near(OTHER)
    case.open(dice, ACCOUNTS_OPENED)
    market = reading(case.anvil, case.toml(), tmp_path)
    if market.screen is not None:
        market.screen.least_accounts = 0
    memory, due, spared = BLANK, set[str](), 0

    def happenings() -> Iterator[Callable[[], object]]:
        yield lambda: None
        yield lambda: send_batch(case.anvil.rpc, case.fall())
        yield from [lambda: case.stir(dice)] * STIRS
        yield from (each.play for each in case.scenes().values())

    for happens in happenings():
        happens()
        head = blocks.latest(market.book.pool)
        asked = MarketRequest(market, memory, LEVELS)
        [at] = value_together(
            Reader(market.book.pool, market.book.workers), head, [asked], head.timestamp + BLOCK_SECONDS
        )
        assert isinstance(at, MarketValuation) and at.acting, at
        memory = at.memory
        views = market.book.views(head, list(market.book.accounts))
        known = {each.account: each for each in at.valuations}
        assert known.items() <= views.items()
        below = {each for each, view in views.items() if view.liquidatable}
        assert below <= known.keys()
        due |= below
        spared += len(views) - len(known)
    assert account in due and spared
