"""Morpho Blue and the trove system are deployed whole, and do what they are for."""

from __future__ import annotations

import pytest

from keeper.localchain import comet_standin, morpho_blue, troves
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.calldata import calldata, view
from keeper.localchain.transactions import Tx, send_batch
from tests.support import comet_users, trove_users
from tests.support.views import view_int

pytestmark = pytest.mark.integration

WAD = 10**18
LENDER, BORROWER, KEEPER = ACCOUNTS[1], ACCOUNTS[2], ACCOUNTS[3]


def mint(token: str, who: str, amount: int) -> Tx:
    return {"from": ACCOUNTS[0], "to": token, "data": calldata("mint(address,uint256)", who, amount)}


def test_a_morpho_market_lends_and_liquidates(anvil: Anvil) -> None:
    tokens = [morpho_blue.TokenSpec("WETH", 18, 2500 * 10**8), morpho_blue.TokenSpec("USDC", 6, 10**8)]
    at = morpho_blue.deploy(anvil.rpc, tokens, [morpho_blue.PairSpec("USDC", "WETH", 86 * WAD // 100)])
    (pair,) = at.pairs
    send_batch(
        anvil.rpc,
        [
            mint(pair.loan, LENDER, 10**11),
            mint(pair.loan, KEEPER, 10**11),
            mint(pair.collateral, BORROWER, 10 * WAD),
            *(morpho_blue.approve(who, pair.loan, at.morpho) for who in (LENDER, KEEPER)),
            morpho_blue.approve(BORROWER, pair.collateral, at.morpho),
            morpho_blue.supply(at, pair, LENDER, 10**11),
            morpho_blue.supply_collateral(at, pair, BORROWER, 10 * WAD),
            morpho_blue.borrow(at, pair, BORROWER, 20_000 * 10**6),
            morpho_blue.set_price(at, pair, 2300 * 10**24),
        ],
    )
    position = view(
        anvil.rpc,
        at.morpho,
        "position(bytes32,address)",
        (bytes.fromhex(pair.id[2:]), BORROWER),
        "uint256",
        "uint128",
        "uint128",
    )
    assert position[1:] == (20_000 * 10**12, 10 * WAD)
    data = calldata(
        f"liquidate({morpho_blue.PARAMS},address,uint256,uint256,bytes)", pair.params, BORROWER, WAD, 0, b""
    )
    send_batch(anvil.rpc, [{"from": KEEPER, "to": at.morpho, "data": data}])
    assert view_int(anvil.rpc, pair.collateral, "balanceOf(address)", KEEPER) == WAD


def test_a_trove_is_opened_and_liquidated_through_the_stability_pool(anvil: Anvil) -> None:
    at = troves.deploy(anvil.rpc, 60_000 * 10**8)
    anvil.set_balance(LENDER, 10**24)
    send_batch(
        anvil.rpc,
        [
            troves.set_price(at, 60_000 * 10**8),
            troves.open_trove(at, LENDER, 10 * WAD, 100_000 * WAD),
            troves.open_trove(at, BORROWER, WAD, 50_000 * WAD),
            *troves.provide(at, LENDER, 90_000 * WAD),
            troves.set_price(at, 54_000 * 10**8),
        ],
    )
    price = view_int(anvil.rpc, at.contracts["PriceFeed"], "fetchPrice()")
    assert price == 54_000 * WAD
    ratio = view_int(anvil.rpc, at.trove_manager, "getCurrentICR(address,uint256)", BORROWER, price)
    assert WAD < ratio < 11 * WAD // 10
    send_batch(
        anvil.rpc, [troves.set_price(at, 54_000 * 10**8), trove_users.liquidate(at, KEEPER, [BORROWER])]
    )
    assert view_int(anvil.rpc, at.trove_manager, "getTroveStatus(address)", BORROWER) == 3
    assert view_int(anvil.rpc, at.musd, "balanceOf(address)", KEEPER) == 200 * WAD


def test_the_stand_in_for_comet_absorbs_and_sells(anvil: Anvil) -> None:
    weth = comet_standin.CollateralSpec(
        "WETH", 18, 2500 * 10**8, 83 * WAD // 100, 90 * WAD // 100, 95 * WAD // 100
    )
    at = comet_standin.deploy(
        anvil.rpc, comet_standin.CometSpec("USDC", 6, 10**8, [weth], target_reserves=10**12)
    )
    send_batch(
        anvil.rpc,
        [
            *comet_standin.mint_and_supply(at, LENDER, "USDC", 10**11),
            *comet_standin.mint_and_supply(at, BORROWER, "WETH", 10 * WAD),
            comet_standin.withdraw(at, BORROWER, "USDC", 20_000 * 10**6),
            comet_users.set_price(at, "WETH", 2200 * 10**8),
        ],
    )
    assert view_int(anvil.rpc, at.comet, "isLiquidatable(address)", BORROWER) == 1
    weth_token, usdc = at.tokens["WETH"], at.tokens["USDC"]
    send_batch(
        anvil.rpc,
        [
            {
                "from": KEEPER,
                "to": at.comet,
                "data": calldata("absorb(address,address[])", KEEPER, [BORROWER]),
            },
            mint(usdc, KEEPER, 10**10),
            {"from": KEEPER, "to": usdc, "data": calldata("approve(address,uint256)", at.comet, 10**10)},
            {
                "from": KEEPER,
                "to": at.comet,
                "data": calldata(
                    "buyCollateral(address,uint256,uint256,address)", weth_token, 1, 2134 * 10**6, KEEPER
                ),
            },
        ],
    )
    # 2200 less 3 % (0.6 of the 5 % that liquidation takes) is 2134 a piece.
    assert view_int(anvil.rpc, weth_token, "balanceOf(address)", KEEPER) == WAD
    assert view_int(anvil.rpc, at.comet, "balanceOf(address)", BORROWER) > 800 * 10**6
