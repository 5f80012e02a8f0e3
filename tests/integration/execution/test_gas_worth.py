"""Gas never costs more than what it is for earns, whatever it costs by the time of sending."""

from __future__ import annotations

import pytest

from tests.integration.execution.conftest import CRASH, Fresh, Ready
from tests.support.faulty_node import faulty
from tests.support.ticks import act_again, look
from tests.support.world import World

pytestmark = pytest.mark.integration

GWEI = 10**9
# The liquidation gains some 490 dollars, a fifth of an ether, for some 600,000 gas: 330 gwei a unit at most.
TOO_MUCH = 480 * GWEI
FREE = "[policy]\nmin_profit = 0\n"


def gas_costs(w: World, wei: int) -> None:
    """From the next block on."""
    w.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(wei))


def crash(w: World) -> None:
    """Plan at a block in which gas is cheap."""
    for symbol, price in CRASH.items():
        w.queue_price(symbol, price)
    w.anvil.mine()
    head = w.deciding.next_head()
    assert head is not None
    look(w.deciding, head)
    assert [each.state for each in w.intents()] == ["planned"]


def test_a_plan_is_not_sent_when_gas_has_become_dearer_than_what_it_earns(ready: Ready) -> None:
    w = ready(FREE)
    crash(w)
    gas_costs(w, TOO_MUCH)
    w.anvil.mine()
    assert w.deciding.head is not None
    act_again(w.loops)
    assert w.transactions() == []
    gas_costs(w, GWEI)
    w.step()
    assert [t.purpose for t in w.transactions()] == ["approve", "act"], "it is sent as soon as it pays again"


def test_no_bid_is_raised_beyond_what_the_liquidation_earns(fresh: Fresh, ready: Ready) -> None:
    with faulty(fresh[0].url) as node:
        w = ready(FREE + "[execution]\nreplace_blocks = 1\ncancel_blocks = 40\n", rpc=node.url)
        node.holds = True
        w.step(CRASH)
        for _ in range(12):
            gas_costs(w, TOO_MUCH)
            w.step()
        acts = [t for t in w.transactions() if t.purpose == "act"]
        [intent] = w.intents()
        earns = intent.gain * 10**18 // (2260 * 10**18)
        used = 450_000
        assert max(t.max_fee for t in acts) * used < earns, "as signed, whatever block takes it"
