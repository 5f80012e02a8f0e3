"""A guard an action: liquidations are counted at market prices, owners' money waits for confirmation."""

from __future__ import annotations

import pytest

from keeper.model.plan import Blocked, Plan, Spend, Trade
from keeper.oracles.guards import Fault, Judgement
from keeper.policy.guards import at_market, closed, may_top_up

pytestmark = pytest.mark.unit

SYMBOLS = {"0xe": "WETH", "0xd": "USDC"}
WELL = Judgement((), 100, "", 100)


def plan(pays_base: int, gets_base: int) -> Plan:
    trade = Trade("0xd", pays_base, "0xe", gets_base)
    spend = Spend("0xd", "0xp", 1)
    gain = gets_base - pays_base
    return Plan("m", "0xa", "liquidate", "liquidate", "0xp", "0x", spend, pays_base, gain, 1, {}, trade=trade)


def test_equal_prices_leave_the_gain_as_it_is() -> None:
    found = at_market([plan(1000, 1050)], {"0xe": WELL, "0xd": WELL}, SYMBOLS)
    assert isinstance(found, list) and found[0].gain_base == 50


@pytest.mark.parametrize(("market", "gain"), [(90, -55), (110, 155), (99, 39)])
def test_the_gain_is_counted_at_the_markets_price_rounded_against_us(market: int, gain: int) -> None:
    verdicts = {"0xe": Judgement((), market, "", 100), "0xd": WELL}
    found = at_market([plan(1000, 1050)], verdicts, SYMBOLS)
    assert isinstance(found, list) and found[0].gain_base == gain


def test_a_debt_that_costs_more_at_market_is_counted_as_it_costs() -> None:
    found = at_market([plan(999, 1050)], {"0xe": WELL, "0xd": Judgement((), 103, "", 100)}, SYMBOLS)
    assert isinstance(found, list) and found[0].gain_base == 1050 - 1029


def test_the_best_at_market_comes_first_and_what_has_no_price_is_left_out() -> None:
    found = at_market([plan(1000, 1050), plan(1000, 1090)], {"0xe": WELL, "0xd": WELL}, SYMBOLS)
    assert isinstance(found, list) and [each.gain_base for each in found] == [90, 50]
    nothing = Judgement((Fault("out_of_bounds", "below min_price"),), None, "held", 100)
    refused = at_market([plan(1000, 1050)], {"0xe": nothing, "0xd": WELL}, SYMBOLS)
    assert isinstance(refused, Blocked)
    assert refused.reason == "WETH has no market price to count with: below min_price"


def test_the_first_asset_that_must_wait_is_named() -> None:
    verdicts = {"0xe": Judgement((), 100, "stale", 100), "0xd": WELL}
    assert may_top_up(["0xd", "0xe"], verdicts, SYMBOLS) == "WETH: stale"
    assert may_top_up(["0xd"], verdicts, SYMBOLS) == ""
    assert closed(["0xd", "0xe"], verdicts, SYMBOLS) == ""
    shut = {"0xe": Judgement((), None, "", None, closed="reverts")}
    assert closed(["0xe"], shut, SYMBOLS) == "WETH: reverts"
