"""The margin library's account of Synthetix v3, read from what is stored, is worth what the views say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from keeper.localchain import synthetix_v3_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.synthetix_v3_market import DAY, WAD, CostsByKind, LocalPerp, SystemSpec
from keeper.margin.perps.synthetix_v3.account import KeeperTerms, MarketTerms
from keeper.margin.perps.synthetix_v3.cross_margin import (
    Collateral,
    CrossAccount,
    OpenPosition,
    is_liquidatable,
    is_margin_liquidatable,
    next_interest,
    requirement,
)
from keeper.margin.perps.synthetix_v3.market import accrue, max_liquidation_in_window
from tests.conftest import GENESIS
from tests.support.synthetix_exchange import PERPS, SYNTHS, Exchange, exchange
from tests.support.synthetix_storage import funding_state, interest_state, stored_position

pytestmark = pytest.mark.integration

TRADER, OTHER, KEEPER = ACCOUNTS[1], ACCOUNTS[2], ACCOUNTS[3]
LONG, SHORT, OWING = 7, 8, 9
COSTS = CostsByKind()
SYSTEM = SystemSpec(costs=COSTS)
SPECS = {each.symbol: each for each in PERPS}


@pytest.fixture(scope="module")
def market() -> Iterator[Exchange]:
    with exchange(GENESIS, SYSTEM) as running:
        yield running


def terms(symbol: str) -> MarketTerms:
    spec = SPECS[symbol]
    fees = (spec.maker_fee, spec.taker_fee)
    return MarketTerms(
        spec.skew_scale,
        spec.initial_margin,
        spec.minimum_initial_margin,
        spec.maintenance_scalar,
        spec.minimum_position_margin,
        spec.flag_reward,
        max_liquidation_in_window(*fees, spec.skew_scale, spec.liquidation_multiplier, spec.window),
    )


def position(market: Exchange, perp: LocalPerp, account: int, price: int) -> OpenPosition:
    """A position as it is stored, at a price (18 decimals) and the latest block's time."""
    spec, held, now = SPECS[perp.symbol], stored_position(market, perp.id, account), market.now()
    state = accrue(funding_state(market, perp.id), price, spec.skew_scale, spec.funding_velocity, now)
    charged = interest_state(market)
    return OpenPosition(
        held.size,
        held.price,
        price,
        terms(perp.symbol),
        held.funding,
        state.value,
        held.interest,
        next_interest(charged.accrued, charged.rate, charged.time, now),
        spec.locked_oi,
    )


def cross_account(market: Exchange, account: int, prices: dict[str, int]) -> tuple[CrossAccount, KeeperTerms]:
    """The account and what keepers get for it, at prices in whole dollars."""
    shape = "getCollateralAmount(uint128,uint128)"
    synth = SYNTHS[0]
    dollars, synths = (market.number(shape, account, identity) for identity in (0, market.seth.id))
    discounts = (synth.discount_scalar, synth.lower_discount, synth.upper_discount)
    priced = Collateral(synths, prices["ETH"] * WAD, synth.skew_scale, *discounts)
    opened = market.numbers_in_list("getAccountOpenPositions(uint128)", account)
    held = [
        position(market, perp, account, prices[perp.symbol] * WAD)
        for perp in (market.eth, market.btc)
        if perp.id in opened
    ]
    feeds = len(held) + (synths > 0)
    keeper = KeeperTerms(
        SYSTEM.min_reward,
        SYSTEM.max_reward,
        SYSTEM.min_profit,
        SYSTEM.max_scaling,
        COSTS.flag * feeds,
        COSTS.liquidate,
        SYSTEM.collateral_reward,
    )
    return CrossAccount([Collateral(dollars), priced], held, market.debt(account)), keeper


def compare(market: Exchange, accounts: Sequence[int], prices: dict[str, int]) -> list[bool]:
    """Compare every number that a view tells; whether each account is liquidatable."""
    verdicts = []
    for account in accounts:
        worth, keeper = cross_account(market, account, prices)
        found = requirement(worth, keeper)
        assert found.equity == market.margin(account)
        reward = found.parts["liquidation_reward"]
        assert (found.initial, found.maintenance, reward) == market.required(account)
        assert worth.collateral_value == market.number("totalCollateralValue(uint128)", account)
        assert is_liquidatable(worth, keeper) == market.is_liquidatable(account)
        only = market.number("canLiquidateMarginOnly(uint128)", account)
        assert is_margin_liquidatable(worth, keeper) == (only == 1)
        verdicts.append(market.is_liquidatable(account))
    return verdicts


def test_accounts_are_worth_what_the_market_says_at_every_price_and_time(market: Exchange) -> None:
    market.open_account(TRADER, LONG, dollars=30_001, synths=3)
    market.open_account(OTHER, SHORT, dollars=2_003)
    market.open_account(OTHER, OWING, dollars=7, synths=1)
    market.trade(TRADER, LONG, market.eth, 1_137 * WAD // 10 + 1, 2_000, KEEPER)
    market.trade(OTHER, SHORT, market.eth, -51 * WAD // 7, 2_001, KEEPER)
    market.trade(TRADER, LONG, market.btc, -13 * WAD // 17, 30_007, KEEPER)
    held = 31 * WAD // 11
    market.trade(OTHER, OWING, market.eth, held, 1_999, KEEPER)
    verdicts = set()
    for days, eth, btc in ((0, 2_000, 30_001), (1, 2_190, 29_003), (5, 1_937, 31_013), (2, 1_753, 30_500)):
        market.anvil.increase_time(days * DAY)
        market.set_price("ETH", eth)
        market.set_price("BTC", btc)
        verdicts |= set(compare(market, (LONG, SHORT, OWING), {"ETH": eth, "BTC": btc}))
    assert verdicts == {True, False}

    # Closed at a loss, an account owes; its collateral alone may then fall below the debt.
    market.set_price("ETH", 1_960)
    market.send(*actions.mint_and_deposit(market.system, OTHER, OWING, 1_500 * WAD))
    market.trade(OTHER, OWING, market.eth, -held, 1_500, KEEPER)
    assert market.debt(OWING) > 0 and market.required(OWING) == (0, 0, 0)
    verdicts = set()
    for eth in (1_900, 1_690, 900):
        market.set_price("ETH", eth)
        market.set_price("BTC", 30_500)
        verdicts |= set(compare(market, (OWING,), {"ETH": eth, "BTC": 30_500}))
    assert verdicts == {True, False}
