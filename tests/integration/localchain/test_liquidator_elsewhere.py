"""The contract as it is serves other protocols: Morpho calls back for its money, nothing is borrowed."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from keeper.execution import batch_encoding
from keeper.localchain import morpho_blue
from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.liquidator import deploy_liquidator
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import PoolSpec, Token
from tests.integration.localchain.test_other_protocols import BORROWER, LENDER, mint
from tests.support.views import view_int

pytestmark = pytest.mark.integration

WAD = 10**18
OWNER, OPERATOR = "0x" + "0a" * 20, "0x" + "0b" * 20
SWAPS = "(uint8,uint8,bool,uint256,address,bytes)[]"
NOWHERE = "0x" + "00" * 20


def test_a_morpho_account_is_liquidated_in_its_callback_without_a_loan(anvil: Anvil) -> None:
    specs = [morpho_blue.TokenSpec("WETH", 18, 2500 * 10**8), morpho_blue.TokenSpec("USDC", 6, 10**8)]
    at = morpho_blue.deploy(anvil.rpc, specs, [morpho_blue.PairSpec("USDC", "WETH", 86 * WAD // 100)])
    (pair,) = at.pairs
    tokens = {
        "WETH": Token(pair.collateral.lower(), 18, 2300 * 10**8),
        "USDC": Token(pair.loan.lower(), 6, 10**8),
    }
    exchange = uniswap.deploy(anvil.rpc, tokens, [PoolSpec("WETH", "USDC", 500, 10_000_000)])
    contract = deploy_liquidator(anvil.rpc, OWNER, OPERATOR)
    send_batch(
        anvil.rpc,
        [
            mint(pair.loan, LENDER, 10**11),
            mint(pair.collateral, BORROWER, 10 * WAD),
            morpho_blue.approve(LENDER, pair.loan, at.morpho),
            morpho_blue.approve(BORROWER, pair.collateral, at.morpho),
            morpho_blue.supply(at, pair, LENDER, 10**11),
            morpho_blue.supply_collateral(at, pair, BORROWER, 10 * WAD),
            morpho_blue.borrow(at, pair, BORROWER, 20_000 * 10**6),
            morpho_blue.set_price(at, pair, 2300 * 10**24),
        ],
    )
    pool = exchange.pools[("WETH", "USDC", 500)]
    route = bytes.fromhex(pair.collateral[2:] + pool[2:] + pair.loan[2:])
    # In the callback just what is owed is bought; what is left of the collateral is sold after all items.
    buy_back: list[tuple[object, ...]] = [(1, 0, True, 0, NOWHERE, route)]
    addresses = [pair.loan, pair.collateral]
    inside = encode(["address[]", "uint8", "uint8", SWAPS], [addresses, 0, 1, buy_back])
    signature = f"liquidate({morpho_blue.PARAMS},address,uint256,uint256,bytes)"
    call = bytes.fromhex(calldata(signature, pair.params, BORROWER, 5 * WAD, 0, inside)[2:])
    item: tuple[object, ...] = (9, at.morpho, [call], 0, 0, 1, 0, 0, 2_000_000, [], True)
    batch: tuple[object, ...] = (addresses, [], [item], [(1, 0, False, 0, NOWHERE, route)], 0, 200_000)
    order: Tx = {"from": OPERATOR, "to": contract, "data": calldata(batch_encoding.SIGNATURE, batch)}
    send_batch(anvil.rpc, [order])
    earned = view_int(anvil.rpc, pair.loan, "balanceOf(address)", OWNER)
    # A bonus of some four percent on 11,500 dollars, less the exchange's fee.
    assert 400 * 10**6 < earned < 500 * 10**6
    for token in addresses:
        assert view_int(anvil.rpc, token, "balanceOf(address)", contract) == 0
        assert view_int(anvil.rpc, token, "allowance(address,address)", contract, at.morpho) == 0
