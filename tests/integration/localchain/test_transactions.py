"""Batches of transactions arrive in order, and a failure names itself."""

from __future__ import annotations

import pytest

from keeper.errors import KeeperError
from keeper.localchain.aave_actions import approve, borrow, mint, mint_and_supply, set_oracle_source
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import TransactionFailedError, Tx, decode_revert, send_batch
from tests.conftest import LocalMarket
from tests.support.views import view_int

pytestmark = pytest.mark.integration


def test_order_holds_across_senders_and_blocks(aave_market: LocalMarket) -> None:
    market, weth = aave_market.market, aave_market.market.reserves["WETH"]
    users = [f"0x{0xA0000 + i:040x}" for i in range(150)]
    txs: list[Tx] = []
    for user in users:
        txs += mint_and_supply(market, weth, user, 10**18)
    receipts = send_batch(aave_market.rpc, txs, market.errors)
    places = [(as_int(r["blockNumber"]), as_int(r["transactionIndex"])) for r in receipts]
    assert places == sorted(places)
    assert len({block for block, _ in places}) > 1
    assert all(
        view_int(aave_market.rpc, weth.a_token, "scaledBalanceOf(address)", u) == 10**18 for u in users
    )


@pytest.mark.parametrize(
    ("version", "reason"),
    [("aave_v302", "reverted: 34"), ("aave_v36", "reverted: LtvValidationFailed")],
)
def test_first_failure_is_named_in_the_protocols_words(
    request: pytest.FixtureRequest, version: str, reason: str
) -> None:
    local: LocalMarket = request.getfixturevalue(version)
    market, weth, usdc = local.market, local.market.reserves["WETH"], local.market.reserves["USDC"]
    txs = [
        mint(market, weth, ACCOUNTS[1], 5),
        borrow(market, usdc, ACCOUNTS[1], 1),
        approve(market, weth, ACCOUNTS[1]),
    ]
    send_batch(local.rpc, mint_and_supply(market, usdc, ACCOUNTS[2], 10**9), market.errors)
    with pytest.raises(TransactionFailedError, match=reason) as caught:
        send_batch(local.rpc, txs, market.errors)
    assert caught.value.index == 1
    # What surrounds the failure was sent all the same.
    assert view_int(local.rpc, weth.asset, "allowance(address,address)", ACCOUNTS[1], market.pool) > 0


def test_automine_and_base_fee_are_as_before(anvil: Anvil) -> None:
    anvil.mine()
    fee = _base_fee(anvil)
    send_batch(anvil.rpc, [{"from": ACCOUNTS[3], "to": ACCOUNTS[1], "data": "0x"}] * 40)
    assert anvil.rpc.call("anvil_getAutomine") is True
    assert _base_fee(anvil) == fee


def _base_fee(anvil: Anvil) -> int:
    return as_int(as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))["baseFeePerGas"])


def test_no_transactions_are_no_request(anvil: Anvil) -> None:
    number = anvil.block_number()
    assert send_batch(anvil.rpc, []) == []
    assert anvil.block_number() == number


def test_a_source_can_be_taken_from_the_oracle(aave_v302: LocalMarket) -> None:
    market, weth = aave_v302.market, aave_v302.market.reserves["WETH"]
    send_batch(aave_v302.rpc, [set_oracle_source(market, weth)])
    with pytest.raises(Exception, match="revert"):
        view_int(aave_v302.rpc, market.oracle, "getAssetPrice(address)", weth.asset)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "no reason given"),
        ("4e487b71" + f"{0x11:064x}", "panic 0x11"),
        ("08c379a0" + f"{32:064x}" + f"{2:064x}" + "3335".ljust(64, "0"), "35"),
        ("08c379a0" + "00", "undecodable revert data 0x08c379a000"),
        ("12345678", "Boom"),
        ("87654321" + "01", "custom error 0x87654321 01"),
    ],
)
def test_revert_data_in_words(data: str, text: str) -> None:
    assert decode_revert(bytes.fromhex(data), {"0x12345678": "Boom"}) == text


def test_a_transaction_that_fits_no_block_is_told_at_once() -> None:
    with Anvil(AnvilOptions(gas_limit=1_000_000)) as small:
        with pytest.raises(KeeperError) as caught:
            send_batch(small.rpc, [{"from": ACCOUNTS[0], "to": ACCOUNTS[1], "data": "0x", "gas": 2_000_000}])
        assert small.rpc.call("anvil_getAutomine") is True
    assert "gas_limit" in str(caught.value)
