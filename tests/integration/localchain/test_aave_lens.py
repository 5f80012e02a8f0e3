"""The Aave lens answers what the contracts themselves answer, on both versions."""

from __future__ import annotations

import pytest

from keeper.contracts import runtime_code
from keeper.localchain.aave_actions import (
    STABLE_RATE,
    borrow,
    mint_and_supply,
    set_emode,
    set_oracle_source,
    use_as_collateral,
)
from keeper.localchain.aave_market import EModeSpec, demo_market
from keeper.localchain.aave_v302 import deploy as deploy_v302
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.calldata import calldata, decoded, view
from keeper.localchain.rpc import RpcRefusedError
from keeper.localchain.transactions import Tx, send_batch
from tests.conftest import LocalMarket
from tests.integration.localchain.lens_layout import RawAccount, unpack
from tests.support.aave_users import drop_reserve
from tests.support.state_override import LENS_ADDRESS, call_with_code
from tests.support.views import view_int

pytestmark = pytest.mark.integration

LENDER, USER, OTHER = ACCOUNTS[1:4]
DATA = (
    "(uint256,uint128,uint128,uint128,uint128,uint128,uint40,uint16,address,address,address,address,uint128)"
)
RESERVE = f"(address,{DATA},uint256,bool{',uint256' * 8})"
SENTINEL = "(address,bool,uint256,bool,int256,uint256,uint256)"
EMODE = "(uint8,bool,uint16,uint16,uint16,address,uint256,bool,uint128,uint128,uint128,string)"
MARKET = f"(uint256,address,address,uint256,uint256,{SENTINEL},{RESERVE}[],{EMODE}[])"
LENS = {LENS_ADDRESS: runtime_code("AaveV3Lens")}


def _market(local: LocalMarket, *emodes: int) -> tuple[object, ...]:
    data = calldata("market(address,uint8[])", local.market.pool, list(emodes))
    (market,) = decoded([MARKET], call_with_code(local.rpc, LENS_ADDRESS, data, LENS))
    assert isinstance(market, tuple)
    return market


def _accounts(local: LocalMarket, accounts: list[str]) -> list[RawAccount]:
    packed = bytes.fromhex("".join(account[2:] for account in accounts))
    data = calldata("accounts(address,bytes)", local.market.pool, packed)
    (answer,) = decoded(["bytes"], call_with_code(local.rpc, LENS_ADDRESS, data, LENS))
    assert isinstance(answer, bytes)
    return unpack(answer)


def _populate(local: LocalMarket) -> None:
    market = local.market
    weth, wbtc, usdc, dai, staked = (market.reserves[s] for s in ("WETH", "WBTC", "USDC", "DAI", "wstETH"))
    txs: list[Tx] = [
        *mint_and_supply(market, usdc, LENDER, 10**12),
        *mint_and_supply(market, dai, LENDER, 10**24),
        *mint_and_supply(market, weth, LENDER, 10**21),
        *mint_and_supply(market, weth, USER, 10**19 + 1),
        *mint_and_supply(market, wbtc, USER, 10**8),
        use_as_collateral(market, wbtc, USER, False),
        borrow(market, usdc, USER, 10**9),
        borrow(market, dai, USER, 10**18),
        *mint_and_supply(market, staked, OTHER, 10**19),
        set_emode(market, OTHER, 1),
        borrow(market, weth, OTHER, 10**18),
    ]
    send_batch(local.rpc, txs, market.errors)


def test_market_is_what_the_pool_and_the_oracle_say(aave_market: LocalMarket) -> None:
    _populate(aave_market)
    rpc, market = aave_market.rpc, aave_market.market
    revision, provider, oracle, unit, premium, sentinel, reserves, _ = _market(aave_market)
    assert (
        revision == view_int(rpc, market.pool, "POOL_REVISION()") == {"3.0.2": 1, "3.6": 10}[market.version]
    )
    assert provider == market.addresses_provider.lower()
    assert oracle == market.oracle.lower()
    assert unit == 10**8
    assert isinstance(sentinel, tuple) and int(sentinel[0], 16) == 0
    assert premium == view_int(rpc, market.pool, "FLASHLOAN_PREMIUM_TOTAL()")
    assert isinstance(reserves, tuple)
    assert len(reserves) == len(market.reserves)
    for row, (symbol, reserve) in zip(reserves, market.reserves.items(), strict=True):
        asset, data, price, price_ok, liquidity, supply, debt, *stable, counted, grace = row
        assert (counted, grace) == ((liquidity, 0) if market.version == "3.6" else (2**256 - 1, 0))
        assert stable[:2] == [0, 0]
        assert asset == reserve.asset.lower(), symbol
        direct = view(
            rpc, market.pool, "getReserveData(address)", [reserve.asset], f"({DATA[1:-1]},uint128,uint128)"
        )
        assert isinstance(direct[0], tuple)
        assert data == direct[0][:13]
        assert data[8] == reserve.a_token
        assert price_ok
        assert price == view_int(rpc, market.oracle, "getAssetPrice(address)", reserve.asset)
        assert liquidity == view_int(rpc, reserve.asset, "balanceOf(address)", reserve.a_token)
        assert (
            supply == view_int(rpc, reserve.a_token, "scaledTotalSupply()") > 0
            or symbol == "nothing supplied"
        )
        assert debt == view_int(rpc, reserve.variable_debt_token, "scaledTotalSupply()")


def test_emodes_of_302_come_from_the_reserves_and_the_list(anvil: Anvil) -> None:
    reserves, _ = demo_market()
    pair = ("WETH", "wstETH")
    emodes = [
        EModeSpec(1, 9300, 9500, 10100, "priced", pair, pair, price=2600_00000000),
        EModeSpec(200, 9400, 9600, 10200, "no members", (), ()),
    ]
    local = LocalMarket(anvil, deploy_v302(anvil.rpc, reserves, emodes))
    source = local.market.emode_feeds[1].lower()
    zero = "0x" + "00" * 20
    first = (1, False, 9300, 9500, 10100, source, 2600_00000000, True, 0, 0, 0, "priced")
    other = (200, False, 9400, 9600, 10200, zero, 0, False, 0, 0, 0, "no members")
    assert _market(local)[7] == (first,)
    assert _market(local, 200, 1, 1, 0)[7] == (first, other)


def test_emodes_of_36_have_bitmaps(aave_v36: LocalMarket) -> None:
    market = aave_v36.market
    signature = "setAssetLtvzeroInEMode(address,uint8,bool)"
    data = calldata(signature, market.reserves["WETH"].asset, 1, True)
    send_batch(
        aave_v36.rpc, [{"from": market.acl_admin, "to": market.configurator, "data": data}], market.errors
    )
    zero = "0x" + "00" * 20
    both = 1 | 1 << 4
    expected = (1, True, 9300, 9500, 10100, zero, 0, False, both, both, 1, "ETH correlated")
    assert _market(aave_v36)[7] == ()
    assert _market(aave_v36, 1)[7] == (expected,)
    assert _market(aave_v36, 9)[7] == ((9, True, 0, 0, 0, zero, 0, False, 0, 0, 0, ""),)


def test_a_reserve_without_price_does_not_hide_the_others(aave_market: LocalMarket) -> None:
    market = aave_market.market
    send_batch(aave_market.rpc, [set_oracle_source(market, market.reserves["WBTC"])], market.errors)
    reserves = _market(aave_market)[6]
    assert isinstance(reserves, tuple)
    assert [row[3] for row in reserves] == [True, False, True, True, True]


def test_accounts_are_what_pool_and_tokens_say(aave_market: LocalMarket) -> None:
    _populate(aave_market)
    rpc, market = aave_market.rpc, aave_market.market
    nobody = "0x" + "99" * 20
    users = [LENDER, nobody, USER, OTHER, USER]
    accounts = _accounts(aave_market, users)
    assert len(accounts) == len(users)
    by_id = dict(enumerate(market.reserves.values()))
    for user, account in zip(users, accounts, strict=True):
        assert account.emode == view_int(rpc, market.pool, "getUserEMode(address)", user)
        assert account.configuration == view_int(rpc, market.pool, "getUserConfiguration(address)", user)
        marked = [i for i in by_id if account.configuration >> 2 * i & 3]
        assert [position.reserve_id for position in account.positions] == marked
        for position in account.positions:
            reserve = by_id[position.reserve_id]
            bits = account.configuration >> 2 * position.reserve_id
            assert position.flags == (bits & 1) << 1 | bits >> 1 & 1
            balance = view_int(rpc, reserve.a_token, "scaledBalanceOf(address)", user)
            debt = view_int(rpc, reserve.variable_debt_token, "scaledBalanceOf(address)", user)
            assert position.collateral == (balance if position.flags & 1 else 0)
            assert position.debt == debt
            assert position.stable is None
    assert [account.emode for account in accounts] == [0, 0, 0, 1, 0]
    assert accounts[1] == RawAccount(0, 0, ())
    assert accounts[2] == accounts[4]
    assert [position.reserve_id for position in accounts[2].positions] == [0, 2, 3]


def test_stable_debt_of_302(aave_v302: LocalMarket) -> None:
    _populate(aave_v302)
    rpc, market, dai = aave_v302.rpc, aave_v302.market, aave_v302.market.reserves["DAI"]
    send_batch(rpc, [borrow(market, dai, USER, 5 * 10**19, STABLE_RATE)])
    assert dai.stable_debt_token is not None
    stable = tuple(
        view_int(rpc, dai.stable_debt_token, f"{name}(address)", USER)
        for name in ("principalBalanceOf", "getUserStableRate", "getUserLastUpdated")
    )
    first, second = _accounts(aave_v302, [USER, OTHER])
    position = next(each for each in first.positions if each.reserve_id == 3)
    assert position.stable == stable
    assert position.flags == 2 | 4
    assert stable[0] == 5 * 10**19
    assert position.debt > 0
    assert second.emode == 1


def test_gaps_of_dropped_reserves_keep_ids(aave_market: LocalMarket) -> None:
    market = aave_market.market
    send_batch(aave_market.rpc, [drop_reserve(market, market.reserves["WBTC"])], market.errors)
    send_batch(
        aave_market.rpc, mint_and_supply(market, market.reserves["wstETH"], USER, 10**18), market.errors
    )
    reserves = _market(aave_market)[6]
    assert isinstance(reserves, tuple)
    assert [row[1][7] for row in reserves] == [0, 2, 3, 4]
    (account,) = _accounts(aave_market, [USER])
    assert [(each.reserve_id, each.collateral) for each in account.positions] == [(4, 10**18)]


def test_no_accounts_are_an_empty_answer(aave_market: LocalMarket) -> None:
    assert _accounts(aave_market, []) == []


def test_addresses_of_a_wrong_length_are_refused(aave_v36: LocalMarket) -> None:
    data = calldata("accounts(address,bytes)", aave_v36.market.pool, b"\x01" * 21)
    with pytest.raises(RpcRefusedError) as caught:
        call_with_code(aave_v36.rpc, LENS_ADDRESS, data, LENS)
    assert caught.value.data.endswith(f"{21:064x}")


def test_a_balance_that_cannot_be_read_fails_the_call(aave_v302: LocalMarket) -> None:
    _populate(aave_v302)
    data = calldata("accounts(address,bytes)", aave_v302.market.pool, bytes.fromhex(USER[2:]))
    broken = aave_v302.market.reserves["USDC"].variable_debt_token
    # PUSH1 0 PUSH1 0 REVERT
    with pytest.raises(RpcRefusedError) as caught:
        call_with_code(aave_v302.rpc, LENS_ADDRESS, data, {**LENS, broken: "0x60006000fd"})
    assert broken[2:].lower() in caught.value.data


def test_thousands_of_accounts_in_one_call(aave_market: LocalMarket) -> None:
    _populate(aave_market)
    users = [f"0x{i:040x}" for i in range(1, 20_000)] + [USER]
    accounts = _accounts(aave_market, users)
    assert len(accounts) == len(users)
    assert accounts[-1] == _accounts(aave_market, [USER])[0]
