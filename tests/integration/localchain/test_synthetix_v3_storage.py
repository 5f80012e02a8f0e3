"""Profit, funding and interest of Synthetix v3 positions, computed from what is stored, are the view's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.synthetix_v3_market import DAY, WAD, LocalPerp
from tests.conftest import GENESIS
from tests.support.synthetix_exchange import PERPS, Exchange, exchange
from tests.support.synthetix_storage import YEAR, funding_state, interest_state, stored_position

pytestmark = pytest.mark.integration

TRADER, OTHER, KEEPER = ACCOUNTS[1], ACCOUNTS[2], ACCOUNTS[3]
LONG, SHORT = 7, 8


@pytest.fixture(scope="module")
def market() -> Iterator[Exchange]:
    with exchange(GENESIS) as running:
        yield running


def div(a: int, b: int) -> int:
    """A quotient cut towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a >= 0) == (b >= 0) else -quotient


def mul(a: int, b: int) -> int:
    return div(a * b, WAD)


def computed(market: Exchange, perp: LocalPerp, account: int, price: int) -> tuple[int, int, int, int]:
    """Profit, funding, size and interest as `getOpenPosition` has them, at a price."""
    spec = next(each for each in PERPS if each.symbol == perp.symbol)
    funding, interest = funding_state(market, perp.id), interest_state(market)
    held, now = stored_position(market, perp.id, account), market.now()
    skew = max(-WAD, min(WAD, div(funding.skew * WAD, spec.skew_scale)))
    days = (now - funding.time) * WAD // DAY
    rate = funding.rate + mul(mul(skew, spec.funding_velocity), days)
    average = -div((funding.rate + rate) * WAD, 2 * WAD)
    value = funding.value + mul(mul(average, days), price)
    accrued = mul(held.size, value - held.funding)
    per_dollar = interest.accrued + interest.rate * ((now - interest.time) * WAD // YEAR) // WAD
    locked = mul(mul(abs(held.size), price), spec.locked_oi)
    owed = mul(locked, per_dollar - held.interest)
    return mul(held.size, price - held.price) + accrued - owed, accrued, held.size, owed


def test_what_no_view_tells_is_in_storage_and_gives_the_views_numbers(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=50_001, synths=3)
    market.open_account(OTHER, SHORT, dollars=20_003)
    market.trade(TRADER, LONG, market.eth, 137 * WAD // 10 + 1, 2_000, KEEPER)
    market.trade(OTHER, SHORT, market.eth, -51 * WAD // 7, 2_001, KEEPER)
    market.trade(TRADER, LONG, market.btc, -13 * WAD // 17, 30_007, KEEPER)
    shape = ("getOpenPosition(uint128,uint128)", "int256,int256,int128,uint256")
    seen = []
    for days, eth, btc in ((0, 2_000, 30_001), (1, 2_100, 29_003), (9, 1_937, 31_013)):
        market.anvil.increase_time(days * DAY)
        market.set_price("ETH", eth)
        market.set_price("BTC", btc)
        for perp, account, dollars in (
            (market.eth, LONG, eth),
            (market.eth, SHORT, eth),
            (market.btc, LONG, btc),
        ):
            told = market.numbers(*shape, account, perp.id)
            assert computed(market, perp, account, dollars * WAD) == told
            seen.append(told)
    assert any(funding for _, funding, _, _ in seen) and all(interest > 0 for *_, interest in seen[3:])
