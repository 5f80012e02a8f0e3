"""Pool upgrades change what they claim to change, and show on the proxy."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from keeper.localchain.aave_actions import borrow, mint_and_supply
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import view
from keeper.localchain.rpc import Json, as_list
from keeper.localchain.transactions import TransactionFailedError, send_batch
from tests.conftest import LocalMarket
from tests.support.aave_upgrades import Arithmetic, upgrade_arithmetic, upgrade_revision
from tests.support.views import view_int

pytestmark = pytest.mark.integration

LENDER, USER = ACCOUNTS[1:3]


@pytest.fixture
def indebted(aave_v302: LocalMarket) -> LocalMarket:
    """USER has two collaterals in an uneven mix, and a debt that is no whole number of base units."""
    market = aave_v302.market
    weth, wbtc, dai = (market.reserves[symbol] for symbol in ("WETH", "WBTC", "DAI"))
    txs = [
        *mint_and_supply(market, dai, LENDER, 10**24),
        *mint_and_supply(market, weth, USER, 10**18 + 12345),
        *mint_and_supply(market, wbtc, USER, 1_234_567),
        borrow(market, dai, USER, 10**21 + 7),
    ]
    send_batch(aave_v302.rpc, txs)
    return aave_v302


def _data(local: LocalMarket) -> tuple[int, ...]:
    values = view(local.rpc, local.market.pool, "getUserAccountData(address)", [USER], *["uint256"] * 6)
    return tuple(int(str(value)) for value in values)


def _upgraded_events(local: LocalMarket) -> int:
    topic = "0x" + keccak(text="Upgraded(address)").hex()
    query: Json = {"address": local.market.pool, "topics": [topic], "fromBlock": "0x0", "toBlock": "latest"}
    return len(as_list(local.rpc.call("eth_getLogs", query)))


def test_revision_rises_and_arithmetic_stays(indebted: LocalMarket) -> None:
    events = _upgraded_events(indebted)
    before = _data(indebted)
    assert view_int(indebted.rpc, indebted.market.pool, "POOL_REVISION()") == 1
    upgrade_revision(indebted.rpc, indebted.market, 2)
    assert view_int(indebted.rpc, indebted.market.pool, "POOL_REVISION()") == 2
    assert _upgraded_events(indebted) == events + 1
    assert _data(indebted)[0::3] == before[0::3]
    with pytest.raises(TransactionFailedError, match="transaction 1 of 2"):
        upgrade_revision(indebted.rpc, indebted.market, 2)


@pytest.mark.parametrize(("change", "changed"), [("debt_up", 1), ("threshold_up", 3)])
def test_arithmetic_changes_and_revision_stays(
    indebted: LocalMarket, change: Arithmetic, changed: int
) -> None:
    events = _upgraded_events(indebted)
    snapshot_time = 2_000_000_000
    before = _data_at(indebted, snapshot_time)
    upgrade_arithmetic(indebted.rpc, indebted.market, change)
    after = _data_at(indebted, snapshot_time)
    assert view_int(indebted.rpc, indebted.market.pool, "POOL_REVISION()") == 1
    assert _upgraded_events(indebted) == events + 1
    assert after[changed] == before[changed] + 1
    assert after[5] != before[5]
    unchanged = [index for index in (0, 1, 3) if index != changed]
    assert [after[i] for i in unchanged] == [before[i] for i in unchanged]


def _data_at(local: LocalMarket, seconds: int) -> tuple[int, ...]:
    """Account data as if the block's time were this, so that interest is the same before and after."""
    query: Json = {"to": local.market.pool, "data": _CALL}
    answer = local.rpc.text("eth_call", query, "latest", {}, {"time": hex(seconds)})
    return tuple(int(answer[2 + 64 * i : 66 + 64 * i], 16) for i in range(6))


_CALL = "0x" + (keccak(text="getUserAccountData(address)")[:4] + bytes(12) + bytes.fromhex(USER[2:])).hex()
