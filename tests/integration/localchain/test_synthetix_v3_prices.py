"""Prices that must be brought to Synthetix v3, their age and signatures, and costs that follow the gas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_abi.abi import decode
from eth_keys.datatypes import PrivateKey

from keeper.localchain import synthetix_v3_actions as actions
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import RpcRefusedError
from keeper.localchain.signed_pyth import BENCHMARK, LATEST, signed_update
from keeper.localchain.synthetix_v3_market import WAD, CostsOfGas, SystemSpec
from keeper.localchain.transactions import TransactionFailedError, Tx
from tests.conftest import GENESIS
from tests.support.synthetix_exchange import Exchange, exchange

pytestmark = pytest.mark.integration

TRADER, KEEPER = ACCOUNTS[1], ACCOUNTS[3]
ACCOUNT = 7
GAS = CostsOfGas("ETH")
WANTED = 4
"""Where the arguments of a custom error begin."""


@pytest.fixture(scope="module")
def session() -> Iterator[Exchange]:
    with exchange(GENESIS, SystemSpec(costs=GAS)) as running:
        yield running


@pytest.fixture
def market(session: Exchange) -> Iterator[Exchange]:
    """What a test does to it is undone."""
    snapshot = session.anvil.snapshot()
    yield session
    session.anvil.revert(snapshot)


def refusal(market: Exchange, target: str, data: str) -> bytes:
    """With what a view reverts."""
    with pytest.raises(RpcRefusedError) as refused:
        market.anvil.rpc.text("eth_call", {"to": target, "data": data}, "latest")
    return bytes.fromhex(refused.value.data[2:])


def age(market: Exchange, seconds: int) -> None:
    """Time passes, and the price that is no price of Pyth stays fresh."""
    market.anvil.increase_time(seconds)
    market.send(actions.set_price(market.system, "ETH", 2_000 * 10**8))


def test_an_order_waits_for_the_first_signed_price_at_or_after_its_time(market: Exchange) -> None:
    system, feed = market.system, market.btc.feed
    market.open_account(TRADER, ACCOUNT, dollars=5_000)
    market.commit(TRADER, ACCOUNT, market.btc, WAD // 10)
    time = actions.price_time(market.anvil.rpc, system, ACCOUNT, market.btc)
    question = calldata("getBenchmarkPrice(bytes32,uint64)", feed.price_id, time)
    # Unlike a query for the latest price, this one names its ids in place, without a length.
    asked = decode(["address", "bytes"], refusal(market, system.wrapper, question)[WANTED:])
    assert asked[0] == system.wrapper.lower()
    assert decode(["uint8", "uint64", "bytes32"], asked[1]) == (BENCHMARK, time, feed.price_id)
    with pytest.raises(TransactionFailedError, match="OracleDataRequired"):
        market.send(actions.settle(system, KEEPER, ACCOUNT))

    price = 30_000 * 10**8
    good = signed_update(feed.price_id, price, time + 1, before=time - 1)
    stranger = signed_update(feed.price_id, price, time + 1, before=time - 1, signer=PrivateKey(b"\1" * 32))
    wrong = {
        "InvalidUpdateDataSource": stranger,
        "InvalidUpdateData ": good[:-1],
        "PriceFeedNotFoundWithinRange": signed_update(feed.price_id, price, time - 1),
        "PriceFeedNotFoundWithinRange ": signed_update(feed.price_id, price, time + 2, before=time),
    }
    for reason, update in wrong.items():
        with pytest.raises(TransactionFailedError, match=reason.strip()):
            market.send(actions.bring_benchmark(system, KEEPER, feed, price, time, update))
    unpaid: Tx = {**actions.bring_benchmark(system, KEEPER, feed, price, time, good), "value": 0}
    with pytest.raises(TransactionFailedError, match="FeeRequired"):
        market.send(unpaid)
    market.send(
        actions.bring_benchmark(system, KEEPER, feed, price, time, good),
        actions.settle(system, KEEPER, ACCOUNT),
    )
    assert market.size(ACCOUNT, market.btc) == WAD // 10


def test_views_revert_until_an_old_price_is_renewed(market: Exchange) -> None:
    system, feed = market.system, market.btc.feed
    market.open_account(TRADER, ACCOUNT, dollars=5_000)
    market.trade(TRADER, ACCOUNT, market.btc, WAD // 10, 30_000, KEEPER)
    margin = market.margin(ACCOUNT)
    age(market, 3_700)
    view = refusal(market, system.perps, calldata("getAvailableMargin(uint128)", ACCOUNT))
    # Prices are read several at once, and what is wanted for each comes in one list.
    (reasons,) = decode(["bytes[]"], view[WANTED:])
    asked = decode(["address", "bytes"], reasons[0][WANTED:])
    assert decode(["uint8", "uint64", "bytes32[]"], asked[1]) == (LATEST, 3_600, (feed.price_id,))

    renew = actions.bring_latest(system, KEEPER, feed, 29_990 * 10**8, market.now(), 3_600)
    market.send(renew)
    assert market.margin(ACCOUNT) < margin
    with pytest.raises(TransactionFailedError, match="NoFreshUpdate"):
        market.send(renew)


def test_a_liquidation_wants_a_younger_price_than_the_view_that_promises_it(market: Exchange) -> None:
    system, feed = market.system, market.btc.feed
    market.open_account(TRADER, ACCOUNT, dollars=1_000)
    market.trade(TRADER, ACCOUNT, market.btc, WAD // 2, 30_000, KEEPER)
    market.set_price("BTC", 28_500)
    age(market, 300)
    assert market.is_liquidatable(ACCOUNT)
    with pytest.raises(TransactionFailedError, match="Errors"):
        market.send(actions.liquidate(system, KEEPER, ACCOUNT))
    market.send(
        actions.bring_latest(system, KEEPER, feed, 28_500 * 10**8, market.now(), 60),
        actions.liquidate(system, KEEPER, ACCOUNT),
    )
    assert market.size(ACCOUNT, market.btc) == 0


def test_requirements_follow_the_base_fee(market: Exchange) -> None:
    market.open_account(TRADER, ACCOUNT, dollars=5_000)
    market.trade(TRADER, ACCOUNT, market.eth, WAD, 2_000, KEEPER)
    rewards = {}
    for gwei in (1, 20):
        market.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(gwei * 10**9))
        market.anvil.mine()
        rewards[gwei] = market.required(ACCOUNT)[2]
    gas = GAS.flag + GAS.liquidate
    # One per cent of the collateral, which is more than that of the position, and the gas at 2,000 dollars.
    collateral = market.number("totalCollateralValue(uint128)", ACCOUNT) // 100
    assert rewards == {gwei: collateral + gas * gwei * 10**9 * 2_000 for gwei in (1, 20)}
