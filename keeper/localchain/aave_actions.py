"""Actions of users on an Aave market, as transactions for `send_batch`. Amounts are in token units."""

from __future__ import annotations

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.aave_market import AaveDeployment, DeployedReserve
from keeper.localchain.transactions import Tx, call_of

MAX = 2**256 - 1
"""As an amount: all there is (repay, withdraw), or an unlimited allowance."""
VARIABLE_RATE = 2
STABLE_RATE = 1


def mint(market: AaveDeployment, reserve: DeployedReserve, to: str, amount: int) -> Tx:
    """Mint underlying tokens to `to`."""
    return call_of(market.acl_admin, reserve.asset, "mint(address,uint256)", to, amount)


def approve(market: AaveDeployment, reserve: DeployedReserve, account: str, amount: int = MAX) -> Tx:
    """Approve the pool to take the account's underlying tokens."""
    return call_of(account, reserve.asset, "approve(address,uint256)", market.pool, amount)


def supply(market: AaveDeployment, reserve: DeployedReserve, account: str, amount: int) -> Tx:
    """Supply tokens that the account holds and has approved."""
    arguments = (reserve.asset, amount, account, 0)
    return call_of(account, market.pool, "supply(address,uint256,address,uint16)", *arguments)


def mint_and_supply(market: AaveDeployment, reserve: DeployedReserve, account: str, amount: int) -> list[Tx]:
    """Three transactions: mints, approves and supplies. The pool must hold no allowance yet."""
    return [
        mint(market, reserve, account, amount),
        approve(market, reserve, account, amount),
        supply(market, reserve, account, amount),
    ]


def borrow(
    market: AaveDeployment,
    reserve: DeployedReserve,
    account: str,
    amount: int,
    rate_mode: int = VARIABLE_RATE,
) -> Tx:
    """Borrow against the account's collateral."""
    arguments = (reserve.asset, amount, rate_mode, 0, account)
    return call_of(account, market.pool, "borrow(address,uint256,uint256,uint16,address)", *arguments)


def set_emode(market: AaveDeployment, account: str, category: int) -> Tx:
    """Enter an e-mode category; 0: leave it."""
    return call_of(account, market.pool, "setUserEMode(uint8)", category)


def use_as_collateral(market: AaveDeployment, reserve: DeployedReserve, account: str, on: bool) -> Tx:
    """Enable or disable a supplied reserve as collateral."""
    return call_of(account, market.pool, "setUserUseReserveAsCollateral(address,bool)", reserve.asset, on)


def transfer_a_token(reserve: DeployedReserve, account: str, to: str, amount: int) -> Tx:
    """Transfer aTokens: it changes two accounts, which the pool's events may not show."""
    return call_of(account, reserve.a_token, "transfer(address,uint256)", to, amount)


def set_price(market: AaveDeployment, reserve: DeployedReserve, price: int) -> Tx:
    """Set the answer of the reserve's feed (8 decimals)."""
    return call_of(market.acl_admin, reserve.feed, "updateAnswer(int256)", price)


def set_oracle_source(market: AaveDeployment, reserve: DeployedReserve, source: str = ZERO_ADDRESS) -> Tx:
    """Set another price source of the reserve; by default none: the oracle then has no price for it."""
    arguments = ([reserve.asset], [source])
    return call_of(market.acl_admin, market.oracle, "setAssetSources(address[],address[])", *arguments)
