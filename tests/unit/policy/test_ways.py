"""Which ways remain after some were refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.model.plan import Plan
from keeper.policy.routes import refused, untried, way_of
from tests.unit.execution.test_batching import DAI, ROUTE, USDC, WETH, plan

pytestmark = pytest.mark.unit


def to(gets: str, pays: str = USDC, route: str = ROUTE) -> Plan:
    made = plan(1)
    assert made.batch_item is not None
    return replace(made, batch_item=replace(made.batch_item, gets=gets, pays=pays, route=route))


def test_another_token_is_brought_before_another_is_taken_before_another_route() -> None:
    first, other_gets, other_pays, other_route = to(WETH), to(DAI), to(WETH, DAI), to(WETH, route="0x12")
    tried = refused([(first, "act reverts: paused")])
    assert untried([first, other_route, other_pays, other_gets], tried) == [other_gets]
    assert untried([first, other_route, other_pays], tried) == [other_pays]
    assert untried([first, other_route], tried) == [other_route]
    assert untried([first], tried) == [first], "with nothing else left it is tried again"
    assert untried([first, other_gets], []) == [first, other_gets]


@pytest.mark.parametrize(
    "reason",
    [
        "act reverts: TooLittleProfit",
        "OutOfGas",
        "NotEnoughGas",
        "reverted on chain",
        "its nonce went to another transaction",
        "the postcondition fails: 1 is below 2",
    ],
)
def test_what_was_of_the_moment_speaks_against_no_way(reason: str) -> None:
    assert refused([(to(WETH), reason)]) == []


def test_what_exchanges_nothing_is_never_left_out() -> None:
    absorbs = replace(plan(1), batch_item=None)
    assert way_of(absorbs) is None
    assert untried([absorbs, to(WETH)], refused([(to(WETH), "x")])) == [absorbs]
