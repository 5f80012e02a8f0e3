"""What the keeper computes of the clearinghouse's markets and scenarios, the deployed contracts answer."""

from __future__ import annotations

from dataclasses import astuple
from random import Random
from typing import Any, cast

import pytest

from keeper.errors import KeeperError, MarginError
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import view
from keeper.localchain.transactions import call_of, send_batch
from keeper.margin.portfolio.clearinghouse.markets import (
    CollateralQuote,
    MarketSnapshot,
    Spot,
    Surface,
    line_of,
    lines,
    mark_of,
    pledges,
)
from keeper.margin.portfolio.clearinghouse.marks import FundingTerms, PerpetualState, accrued, matched
from keeper.margin.portfolio.clearinghouse.scenarios import (
    PublishLimits,
    WidthBound,
    WidthRamp,
    encode_steps,
    published,
)
from keeper.margin.portfolio.clearinghouse.settlement import (
    WINDOW,
    ExpiryAverage,
    FeedRound,
    averaged_part,
    observed,
    settled_by_rounds,
)
from keeper.margin.portfolio.clearinghouse.values import ClearingLeg, Instrument, Kind
from keeper.margin.rounding import WAD
from tests.support import clearinghouse_cases as cases
from tests.support.clearinghouse_sources import (
    BAND,
    CLOSING,
    FUNDING_CAP,
    HOUSE,
    OWNER,
    PUBLISHER,
    SHORT_CLOSING,
    LocalClearingMarkets,
    deploy_markets,
    deploy_scenarios,
)

pytestmark = pytest.mark.integration

TERMS = FundingTerms(BAND, FUNDING_CAP)
TRADING = ("uint64", "uint40", "int64", "int80")
EXPIRY = "(uint64,uint40,uint16,uint24,uint80,uint64)"
PRICE = 2_000 * 10**9


def push(local: LocalClearingMarkets, price: int) -> tuple[str, str, str, tuple[object, ...]]:
    return OWNER, local.feed, "push(int256)", (price // 10,)


def now_there(local: LocalClearingMarkets) -> MarketSnapshot:
    (found,) = local.ask(local.moments, "snapshot()", (), cases.SNAPSHOT)
    spots, surfaces, quotes = cast(Any, found)
    return MarketSnapshot(
        tuple(Spot(*each) for each in spots),
        tuple(Surface(*each) for each in surfaces),
        tuple(CollateralQuote(*each) for each in quotes),
    )


def test_matches_and_time_move_mark_and_funding_as_computed(anvil: Anvil) -> None:
    local, draw = deploy_markets(anvil, 30), Random(1)
    last, at, premium, integral = cast(
        tuple[int, int, int, int], local.ask(local.markets, "trading(uint8)", (0,), *TRADING)
    )
    state, time = PerpetualState(last, at, premium, integral), local.time()
    for _ in range(12):
        time += draw.choice((1, 12, 600, draw.randint(1, 40_000)))
        index = PRICE * draw.randint(900, 1_100) // 10_000 * 10
        price = index * draw.randint(900, 1_100) // 1_000
        if draw.random() < 0.7:
            local.at(time, push(local, index), (HOUSE, local.markets, "matched(uint8,uint64)", (0, price)))
            state = matched(state, price, index, TERMS, time)
        else:
            local.at(time, push(local, index), (OWNER, local.markets, "accrue(uint8)", (0,)))
            state, _ = accrued(state, index, TERMS, time)
        found = local.ask(local.markets, "trading(uint8)", (0,), *TRADING)
        assert found == (state.last, state.at, state.premium, state.integral)
    assert state.funding != 0
    spot = now_there(local).spots[0]
    pending, mark = accrued(state, index, TERMS, local.time())
    assert spot == Spot(index, mark, pending.funding, CLOSING, SHORT_CLOSING)


def test_observations_lines_and_settlement_as_computed(anvil: Anvil) -> None:
    local, draw = deploy_markets(anvil, 1), Random(2)
    legs = [ClearingLeg(0, 3 * 10**9, 5 * 10**21)] + [
        ClearingLeg(number, draw.choice((-1, 1)) * draw.randint(1, 10**10), 0) for number in (8, 9, 10)
    ]
    terms = (
        Instrument(Kind.PERPETUAL, 0),
        Instrument(Kind.CALL, 0, local.expiry, 1_900 * 10**9),
        Instrument(Kind.PUT, 0, local.expiry, 2_100 * 10**9),
        Instrument(Kind.CALL, 0, local.expiry, 2_500 * 10**9),
    )
    average, rounds = ExpiryAverage(), []
    # Feeds number their rounds from one; the first was given at deployment.
    price, number = PRICE, 1
    rounds.append(FeedRound(number, price, local.expiry - WINDOW - 1))
    for step in range(-1, 11):
        time = local.expiry - WINDOW + step * 180 + draw.randint(0, 20) * (0 <= step < 10)
        price = PRICE * draw.randint(900, 1_100) // 1_000
        number += 1
        rounds.append(FeedRound(number, price, time))
        calls = [push(local, price)]
        if time > local.expiry - WINDOW:
            calls.append((OWNER, local.options, "observe(uint8,uint40)", (0, local.expiry)))
            average = observed(average, local.expiry, price, time)
        local.at(time, *calls)
        (found,) = local.ask(local.options, "expiry(uint8,uint40)", (0, local.expiry), EXPIRY)
        assert cast(Any, found)[1:5] == (average.last, average.count, average.gap, average.total)
        parts = local.ask(local.options, "averaged(uint8,uint40)", (0, local.expiry), "uint256", "uint256")
        assert parts == averaged_part(average, local.expiry)
        if step in (-1, 4, 10):
            as_computed(local, terms, legs)
    assert average.suffices()
    assert settled_by_rounds(local.expiry, rounds) > 0
    local.at(local.expiry + 60, (OWNER, local.options, "settle(uint8,uint40)", (0, local.expiry)))
    done, settled_at = local.ask(
        local.markets, "settlement(uint8,uint40)", (0, local.expiry), "bool", "uint64"
    )
    assert done and settled_at == average.total // WINDOW
    as_computed(local, terms, legs, settled_at)


def as_computed(
    local: LocalClearingMarkets,
    terms: tuple[Instrument, ...],
    legs: list[ClearingLeg],
    settled_at: int = 0,
) -> None:
    at = now_there(local)
    given = [astuple(each) for each in legs]
    found = local.ask(local.markets, f"lines({cases.LEG}[])", (given,), f"{cases.LINE}[]", "uint256")
    prices = [settled_at if each.kind else 0 for each in terms]
    expected, contingency = lines(at, terms, prices, legs)
    assert found == (tuple(astuple(each) for each in expected), contingency)
    past = local.ask(
        local.moments,
        f"linesAt({cases.SNAPSHOT},{cases.LEG}[])",
        (astuple(at), given),
        f"{cases.LINE}[]",
        "uint256",
    )
    assert past == found
    for leg, what, price in zip(legs, terms, prices, strict=True):
        (mark,) = local.ask(local.markets, "markOf(uint32)", (leg.instrument,), "uint64")
        assert mark == mark_of(line_of(at, what, price)[0])
    amounts = [7 * WAD + 1]
    (held,) = local.ask(local.markets, "pledges(uint256[])", (amounts,), f"{cases.PLEDGE}[]")
    assert held == tuple(astuple(each) for each in pledges(at.quotes, amounts))


def test_publications_and_ramps_as_computed(anvil: Anvil) -> None:
    draw = Random(3)
    limits = PublishLimits(WAD // 5, WAD // 10, WAD // 4, WAD // 20, 3_600, 10_000)
    numbers = {number: (WAD // 50, WAD // 2, WAD * (10 + number) // 100) for number in (0, 1, 2, 3, 32)}
    rules = ((limits.up, limits.down, limits.buffer, limits.replenish), limits.interval, limits.ramp)
    address = deploy_scenarios(anvil, numbers, rules)
    rows = tuple(tuple(draw.randint(-(2**15), 2**15 - 1) for _ in range(4)) for _ in range(6))
    replace = "replace(uint8,uint8,uint8,bytes)"
    send_batch(anvil.rpc, [call_of(OWNER, address, replace, 1, 1, 4, encode_steps(rows))])
    starts = tuple(start for _, _, start in numbers.values())
    bounds = [WidthBound(floor, ceiling) for floor, ceiling, _ in numbers.values()]
    ramp = WidthRamp(0, 0, starts, starts, starts)
    block = cast(Any, anvil.rpc.call("eth_getBlockByNumber", "latest", False))
    time, refused = int(block["timestamp"], 16), 0
    for _ in range(14):
        time += draw.choice((3_600, 5_000, 20_000, 1_000))
        shares = (
            [draw.randint(880, 1_210) for _ in starts]
            if draw.random() < 0.3
            else [draw.randint(910, 1_190)] * 5
        )
        calculated = [r * share // 1_000 for r, share in zip(ramp.calculated, shares, strict=True)]
        publish = call_of(PUBLISHER, address, "publish(uint256[])", calculated)
        anvil.set_next_timestamp(time)
        try:
            ramp = published(ramp, calculated, limits, bounds, time)
        except MarginError:
            refused += 1
            with pytest.raises(KeeperError, match="revert"):
                send_batch(anvil.rpc, [publish])
        else:
            send_batch(anvil.rpc, [publish])
        for later in (time, time + 1, time + draw.randint(2, 9_999), time + 10_000):
            (widths,) = view(anvil.rpc, address, "widths(uint256)", (later,), "uint256[]")
            assert widths == ramp.at(later)
    assert 0 < refused < 10
    for initial, count in ((True, 6), (False, 4)):
        (found,) = view(anvil.rpc, address, "set(bool)", (initial,), cases.SCENARIOS)
        assert found == (1, 1, encode_steps(rows[:count]), ramp.at(time))
        (one,) = view(anvil.rpc, address, "one(bool,uint256)", (initial, count - 1), cases.SCENARIOS)
        assert one == (1, 1, encode_steps(rows[count - 1 : count]), ramp.at(time))
