"""Health is predicted at the next block's time: interest alone never surprises."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from keeper.localchain import aave_actions as act
from keeper.store.tables.watching import Episode
from tests.integration.service.conftest import Fresh
from tests.support.keeping import BLOCK_SECONDS
from tests.support.world import World, account, world

pytestmark = pytest.mark.integration

WAD = 10**18
WHO = account(7)
DAY = 86_400


def _next_health(w: World) -> int:
    """What the pool itself would say a block later."""
    head = w.deciding.head
    assert head is not None
    snapshot = w.anvil.snapshot()
    w.anvil.set_next_timestamp(head.timestamp + BLOCK_SECONDS)
    w.anvil.mine()
    health = w.health(WHO)
    w.anvil.revert(snapshot)
    return health


def test_whoever_interest_takes_below_one_by_the_next_block_is_acted_on_now(
    fresh_market: Fresh, tmp_path: Path
) -> None:
    anvil, market = fresh_market
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    w = world(anvil, market, tmp_path, live=False)
    w.send(
        *act.mint_and_supply(market, weth, WHO, 4_000 * 10**18),
        act.borrow(market, usdc, WHO, 8_000_000 * 10**6),
        act.mint(market, usdc, w.payer, 10**13),
    )
    anvil.set_balance(w.payer, 10**20)
    w.step()
    # A price at which health is above 1 now, and below it some blocks later by interest alone.
    health = w.health(WHO)
    w.step({"WETH": 2500_00000000 * WAD * (10**7 + 1) // (health * 10**7)})
    assert WAD <= w.health(WHO) < WAD + 10**12
    for _ in range(60):
        with w.store.session() as session:
            below = session.exec(
                select(Episode).where(Episode.account == WHO, Episode.threshold == "liquidate")
            ).all()
        if w.health(WHO) < WAD:
            break
        foreseen = _next_health(w) < WAD
        closed = [episode for episode in below if episode.closed_block is None]
        assert bool(closed) == foreseen
        if foreseen:
            assert closed[0].opened_health < WAD
            return
        w.step()
    pytest.fail("interest took the account below 1 and nobody had foreseen it")
