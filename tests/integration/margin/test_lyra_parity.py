"""The margin library's minimum collateral of Lyra Avalon is the contract's own, to the last unit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import cast

import pytest

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.lyra_avalon_market import AvalonOption, AvalonSpec
from keeper.localchain.lyra_avalon_parameters import (
    DAY,
    WAD,
    WEEK,
    GreekCaching,
    LiquidationPenalty,
    MinimumCollateral,
)
from keeper.localchain.rpc import Request, as_str
from keeper.margin.options.lyra_avalon.breaking import breaking_spot
from keeper.margin.options.lyra_avalon.minimum import MinimumTerms, ShortKind
from tests.conftest import GENESIS
from tests.support.avalon_exchange import AvalonExchange, avalon_exchange
from tests.support.views import view_int

pytestmark = pytest.mark.integration

TRADER = ACCOUNTS[1]
SPECS = (
    AvalonSpec(),
    # Floors that hide nothing, a flat shock, and a rate below zero.
    AvalonSpec(
        minimum=MinimumCollateral(
            static_quote=1, static_base=1, shock_volatility_b=5 * WAD // 2, call_spot_shock=WAD,
            put_spot_shock=WAD,
        ),
        greeks=GreekCaching(rate=-WAD // 10),
        penalty=LiquidationPenalty(minimum=0),
    ),
)  # fmt: skip
MINIMUM = "getMinCollateral(uint8,uint256,uint256,uint256,uint256)"
POSITION = "(uint256,uint256,uint8,uint256,uint256,uint8)"


@pytest.fixture(scope="module", params=SPECS, ids=["recipe", "bare"])
def market(request: pytest.FixtureRequest) -> Iterator[AvalonExchange]:
    with avalon_exchange(GENESIS, request.param) as running:
        yield running


def terms(market: AvalonExchange) -> MinimumTerms:
    """As the greek cache's own views say."""
    cache = market.system.greek_cache
    shape = ",".join(8 * ["uint256"])
    minimum = market.numbers(cache, "getMinCollatParams()", shape)
    *_, rate = market.numbers(cache, "getGreekCacheParams()", ",".join([*9 * ["uint256"], "int256"]))
    return MinimumTerms(*(*minimum, rate))


def views(market: AvalonExchange, cases: list[tuple[int, ...]]) -> list[int]:
    """The contract's minimum for many cases: kind, strike, seconds, spot, amount."""
    now, cache = market.now(), market.system.greek_cache
    calls: list[Request] = []
    for kind, strike, seconds, spot, amount in cases:
        data = calldata(MINIMUM, kind, strike, now + seconds, spot, amount)
        calls.append(("eth_call", [{"to": cache, "data": data}, "latest"]))
    answers = market.anvil.rpc.batch(calls)
    return [cast(int, decoded(["uint256"], as_str(each))[0]) for each in answers]


def test_minima_at_many_spots_times_and_amounts(market: AvalonExchange) -> None:
    draw, asked = random.Random(14), terms(market)
    cases: list[tuple[int, ...]] = []
    for _ in range(400):
        strike = draw.randint(1, 50_000 * WAD)
        seconds = draw.choice([0, 1, 59, draw.randint(60, DAY), draw.randint(DAY, 60 * WEEK)])
        spot = int(strike * 10 ** draw.uniform(-3, 3)) + 1
        amount = int(WAD * 10 ** draw.uniform(-6, 7))
        cases.append((draw.choice(list(ShortKind)), strike, seconds, spot, amount))
    ours = [asked.minimum_collateral(ShortKind(kind), *rest) for kind, *rest in cases]
    assert ours == views(market, cases)
    assert len(set(ours)) > 250


def test_the_tail_beyond_four_and_a_half_deviations_counts(market: AvalonExchange) -> None:
    asked, amount = terms(market), 10**12 * WAD
    # A day's deviation is 13 %, and 800, a fifth added, is 73 % below 2,000 in logarithms.
    cases = [(ShortKind.CALL_QUOTE, 2_000 * WAD, DAY, spot * WAD, amount) for spot in (750, 775, 800)]
    ours = [asked.minimum_collateral(*case) for case in cases]
    assert ours == views(market, list(cases))
    assert asked.static_quote < ours[0] < ours[1] < ours[2]


def test_a_position_breaks_on_chain_where_the_library_says(market: AvalonExchange) -> None:
    market.fund(TRADER, dollars=100_000, ether=100)
    asked, token = terms(market), market.system.token
    shorts = {
        AvalonOption.SHORT_CALL_BASE: 40 * WAD // 100,
        AvalonOption.SHORT_CALL_QUOTE: 900 * WAD,
        AvalonOption.SHORT_PUT_QUOTE: 900 * WAD,
    }
    held = [market.position(market.open(TRADER, kind, WAD, least)) for kind, least in shorts.items()]
    for wait in (0, WEEK, 3 * WEEK - 2 * DAY, DAY):
        market.wait(wait)
        price, expiry, now = market.strike.price, market.board.expiry, market.now()
        for each in held:
            kind = ShortKind(each.kind)
            broken = breaking_spot(asked, kind, price, expiry - now, each.amount, each.collateral)
            assert broken is not None
            safe = broken + 1 if kind is ShortKind.PUT_QUOTE else broken - 1
            fields = (each.id, each.strike, int(each.kind), each.amount, each.collateral, int(each.state))
            verdicts = [
                view_int(
                    market.anvil.rpc,
                    token,
                    f"canLiquidate({POSITION},uint256,uint256,uint256)",
                    fields,
                    expiry,
                    price,
                    spot,
                )
                for spot in (broken, safe)
            ]
            assert verdicts == [1, 0]
