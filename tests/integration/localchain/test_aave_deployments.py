"""The deployed markets are what their specification says, on both versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from keeper.errors import ConfigError
from keeper.localchain.aave_actions import (
    MAX,
    approve,
    borrow,
    mint,
    mint_and_supply,
    set_emode,
    set_price,
    transfer_a_token,
    use_as_collateral,
)
from keeper.localchain.aave_market import AaveDeployment, EModeSpec, RateSpec, ReserveSpec, demo_market
from keeper.localchain.aave_v36 import deploy as deploy_v36
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.calldata import view
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.tokens import create_zero_first
from keeper.localchain.transactions import TransactionFailedError, send_batch
from tests.conftest import LocalMarket
from tests.support.aave_users import liquidate, repay, withdraw
from tests.support.views import view_int

pytestmark = pytest.mark.integration

LENDER, USER, OTHER = ACCOUNTS[1:4]
STABLE_RATE = 1

Deploy = Callable[[LocalRpc, Sequence[ReserveSpec]], AaveDeployment]


def _account_data(local: LocalMarket, account: str) -> tuple[int, ...]:
    """Collateral, debt, borrowable, threshold, LTV, health."""
    values = view(local.rpc, local.market.pool, "getUserAccountData(address)", [account], *["uint256"] * 6)
    return tuple(int(str(value)) for value in values)


def test_configuration_is_as_specified(aave_market: LocalMarket) -> None:
    market = aave_market.market
    for spec in demo_market()[0]:
        reserve = market.reserves[spec.symbol]
        (word,) = view(aave_market.rpc, market.pool, "getConfiguration(address)", [reserve.asset], "uint256")
        bits = int(str(word))
        assert bits & 0xFFFF == spec.ltv
        assert bits >> 16 & 0xFFFF == spec.liquidation_threshold
        assert bits >> 32 & 0xFFFF == spec.bonus
        assert bits >> 48 & 0xFF == spec.decimals == reserve.decimals
        assert bits >> 56 & 0x1F == 0b00101 | spec.borrowing << 2 | (_has_stable(market.version, spec) << 3)
        assert bits >> 63 & 1 == spec.flash_loans
        assert bits >> 64 & 0xFFFF == spec.reserve_factor
        assert bits >> 152 & 0xFFFF == spec.protocol_fee
        assert view_int(aave_market.rpc, market.oracle, "getAssetPrice(address)", reserve.asset) == spec.price


def _has_stable(version: str, spec: ReserveSpec) -> bool:
    return spec.stable_borrowing and version == "3.0.2"


def test_same_inputs_give_the_same_addresses(aave_v302: LocalMarket) -> None:
    with Anvil() as other:
        again = deploy_v302(other.rpc, *demo_market())
    assert again == aave_v302.market


def test_a_users_whole_life(aave_market: LocalMarket) -> None:
    local, market = aave_market, aave_market.market
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    send_batch(
        local.rpc,
        [
            *mint_and_supply(market, usdc, LENDER, 10**12),
            *mint_and_supply(market, weth, USER, 10**19),
            borrow(market, usdc, USER, 10**10),
        ],
        market.errors,
    )
    collateral, debt, *_ = _account_data(local, USER)
    assert collateral == 25_000_00000000
    assert 0 <= debt - 10_000_00000000 <= 10**4
    send_batch(local.rpc, [set_price(market, weth, 1200_00000000)])
    assert _account_data(local, USER)[5] < 10**18
    send_batch(
        local.rpc,
        [
            mint(market, usdc, OTHER, 10**10),
            approve(market, usdc, OTHER),
            liquidate(market, weth, usdc, USER, 10**9, OTHER),
        ],
        market.errors,
    )
    assert view_int(local.rpc, weth.asset, "balanceOf(address)", OTHER) > 0
    send_batch(
        local.rpc,
        [
            mint(market, usdc, USER, 10**11),
            approve(market, usdc, USER),
            repay(market, usdc, USER, MAX),
            transfer_a_token(weth, USER, OTHER, 10**18),
            use_as_collateral(market, weth, USER, False),
            use_as_collateral(market, weth, USER, True),
            withdraw(market, weth, USER, MAX),
        ],
        market.errors,
    )
    assert _account_data(local, USER)[:2] == (0, 0)
    assert view_int(local.rpc, weth.a_token, "balanceOf(address)", OTHER) == 10**18


def test_emode_raises_the_threshold(aave_market: LocalMarket) -> None:
    local, market = aave_market, aave_market.market
    staked = market.reserves["wstETH"]
    send_batch(local.rpc, mint_and_supply(market, staked, USER, 10**18), market.errors)
    assert _account_data(local, USER)[3] == 8100
    send_batch(local.rpc, [set_emode(market, USER, 1)], market.errors)
    assert _account_data(local, USER)[3] == 9500


def test_stable_debt_exists_on_302(aave_v302: LocalMarket) -> None:
    market = aave_v302.market
    dai, weth = market.reserves["DAI"], market.reserves["WETH"]
    send_batch(
        aave_v302.rpc,
        [
            *mint_and_supply(market, dai, LENDER, 10**24),
            *mint_and_supply(market, weth, USER, 10**18),
            borrow(market, dai, USER, 10**20, STABLE_RATE),
        ],
    )
    assert dai.stable_debt_token is not None
    assert view_int(aave_v302.rpc, dai.stable_debt_token, "principalBalanceOf(address)", USER) == 10**20


def test_emode_price_source_of_302_prices_its_members(anvil: Anvil) -> None:
    reserves, _ = demo_market()
    members = ("WETH", "wstETH")
    emode = EModeSpec(2, 9300, 9500, 10100, "one price", members, members, price=3000_00000000)
    local = LocalMarket(anvil, deploy_v302(anvil.rpc, reserves, [emode]))
    market = local.market
    send_batch(
        local.rpc,
        [*mint_and_supply(market, market.reserves["WETH"], USER, 10**18), set_emode(market, USER, 2)],
    )
    assert _account_data(local, USER)[0] == 3000_00000000
    assert set(market.emode_feeds) == {2}


def test_emode_with_a_price_is_refused_on_36(anvil: Anvil) -> None:
    reserves, _ = demo_market()
    emode = EModeSpec(2, 9300, 9500, 10100, "one price", ("WETH",), ("WETH",), price=3000_00000000)
    with pytest.raises(ConfigError, match="e-mode 2"):
        deploy_v36(anvil.rpc, reserves, [emode])


def test_parameter_aave_refuses_is_told_in_its_words(anvil: Anvil) -> None:
    bad = [ReserveSpec("BAD", 18, 10**8, ltv=9000, liquidation_threshold=8000, bonus=10500)]
    with pytest.raises(TransactionFailedError, match="20"):
        deploy_v302(anvil.rpc, bad)
    with pytest.raises(TransactionFailedError, match="InvalidReserveParams"):
        deploy_v36(anvil.rpc, bad)


@pytest.mark.parametrize("deploy", [deploy_v302, deploy_v36])
def test_zero_first_token_can_be_a_reserve(anvil: Anvil, deploy: Deploy) -> None:
    spec = ReserveSpec("USDT", 6, 10**8, 7500, 7800, 10450, rates=RateSpec(slope2=7500), kind="zero_first")
    market = deploy(anvil.rpc, [spec])
    usdt = market.reserves["USDT"]
    send_batch(anvil.rpc, mint_and_supply(market, usdt, USER, 10**6), market.errors)
    assert view_int(anvil.rpc, usdt.a_token, "balanceOf(address)", USER) == 10**6
    send_batch(anvil.rpc, [withdraw(market, usdt, USER, MAX), approve(market, usdt, USER, 1)])
    with pytest.raises(TransactionFailedError, match="allowance not zero"):
        send_batch(anvil.rpc, [approve(market, usdt, USER, 2)])
    send_batch(anvil.rpc, [approve(market, usdt, USER, 0), approve(market, usdt, USER, 2)])


def test_zero_first_token_needs_no_protocol(anvil: Anvil) -> None:
    queue = Deployer(anvil.rpc, ACCOUNTS[0])
    token = create_zero_first(queue, "Tether-like", "USDT", 6)
    queue.call(token, "mint(address,uint256)", USER, 5)
    queue.flush()
    assert view_int(anvil.rpc, token, "balanceOf(address)", USER) == 5
