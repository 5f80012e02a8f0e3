"""Perp v2's averages move by time alone: what we say of the seconds to come, the contracts then say too."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from keeper.chain import blocks
from keeper.localchain import perp_v2_actions as act
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.perp_v2_market import DOLLAR, WAD, CurieBuild
from keeper.service.markets import Market
from tests.conftest import GENESIS
from tests.support.curie_exchange import BUILDS, CurieExchange, curie_exchange
from tests.support.keeping import reading, valued

pytestmark = pytest.mark.integration

LONG, SHORT, MAKER = ACCOUNTS[1:4]
SOON = (1, 2, 8, 15)
"""Seconds."""
CUT = 10**10
"""The index's average is cut to its eight decimals in the views that we read it from."""
UNIT = WAD // DOLLAR


def compare(market: CurieExchange, run: Market) -> int:
    """How many valuations were compared; the mark and equities must agree at every second."""
    valued(run)
    state, accounts, now = run.book.state, dict(run.book.accounts), blocks.latest(run.book.pool).timestamp
    for seconds in SOON:
        before = market.anvil.snapshot()
        market.anvil.set_next_timestamp(now + seconds)
        market.anvil.mine()
        then = state.at(now + seconds)
        for base in (market.eth, market.btc):
            assert abs((then.markets[base.token.lower()].price or 0) - market.mark(base)) <= CUT
        views = run.book.views(blocks.latest(run.book.pool), list(accounts))
        for one in run.adapter.valuer.value(state, accounts, now + seconds):
            most = one.maintenance * 16 // 1_800 // WAD * CUT + UNIT
            assert abs(one.equity - views[one.account].equity) <= most, (seconds, one)
            assert one.liquidatable == views[one.account].liquidatable
        market.anvil.revert(before)
    return len(SOON) * len(accounts)


@pytest.mark.parametrize("build", BUILDS)
def test_mark_and_equity_at_the_seconds_to_come_are_the_contracts(build: CurieBuild, tmp_path: Path) -> None:
    with curie_exchange(GENESIS, build) as market:
        market.fund(LONG, dollars=6_000, ether=2)
        market.fund(SHORT, dollars=6_000)
        market.fund(MAKER, dollars=20_000)
        market.trade(LONG, market.eth, 20 * WAD)
        market.trade(SHORT, market.eth, -15 * WAD)
        market.trade(LONG, market.btc, -WAD // 4)
        ranged = act.add_liquidity(market.system, MAKER, market.eth, 20 * WAD, 40_000 * WAD, 75_000, 77_040)
        market.send(ranged)
        toml = f'protocol = "perp-v2"\naddress = "{market.system.clearing_house}"'
        run = reading(market.anvil, toml, tmp_path)
        compared, dice = compare(market, run), random.Random(7)
        marks = {market.mark(market.eth)}
        for dollars, wait in ((1_900, 3), (1_950, 40), (1_870, 880), (1_930, 14), (1_930, 1_790)):
            market.set_price(market.eth, dollars)
            market.set_index(market.weth, dollars - dice.randint(1, 30))
            market.wait(wait)
            market.anvil.mine()
            marks.add(market.mark(market.eth))
            compared += compare(market, run)
        assert len(marks) >= 5 and compared >= 100
