"""Hundreds of positions that are worth nothing cost no other a block: few are planned for at once."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import send_batch
from keeper.service.planning.retry_policy import IN_TURN, LARGEST_PLANNED
from tests.integration.execution.conftest import CRASH, OTHER, WELL, Fresh, Ready

pytestmark = pytest.mark.integration

DUST = 2_000 if os.environ.get("KEEPER_SOAK") else 400
WAD = 10**18


def test_dust_below_the_threshold_delays_nobody(
    fresh: Fresh, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = ready()
    weth, usdc = (w.market.reserves[symbol] for symbol in ("WETH", "USDC"))
    txs: list[Any] = []
    for number in range(DUST):
        who = f"0x{0xD0000000 + number:040x}"
        txs += [*act.mint_and_supply(w.market, weth, who, 10**12), act.borrow(w.market, usdc, who, 1900)]
    for first in range(0, len(txs), 400):
        send_batch(w.anvil.rpc, txs[first : first + 400], w.market.errors)
    w.step()
    [run] = w.deciding.markets
    sized: Counter[str] = Counter()
    plan = run.adapter.planner.offers

    def counted(state: Any, account: str, *rest: Any) -> Any:
        sized[account] += 1
        return plan(state, account, *rest)

    monkeypatch.setattr(run.adapter, "offers", counted)
    w.step(CRASH)
    assert w.transactions(), "the one that is worth it is acted on in that very block"
    assert len(sized) <= LARGEST_PLANNED + IN_TURN
    for _ in range(2):
        w.step()
    assert w.health(OTHER) >= WAD
    assert {intent.account for intent in w.intents()} == {OTHER}
    for _ in range(DUST // IN_TURN):
        w.step()
    assert len(sized) == DUST + 1, "everybody has a turn"
    w.step(WELL)
