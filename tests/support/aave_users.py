"""What else users of a local Aave market do, as transactions for `send_batch`."""

from __future__ import annotations

from keeper.localchain.aave_actions import VARIABLE_RATE
from keeper.localchain.aave_market import AaveDeployment, DeployedReserve
from keeper.localchain.transactions import Tx, call_of


def withdraw(market: AaveDeployment, reserve: DeployedReserve, account: str, amount: int) -> Tx:
    """Take supplied tokens back; MAX takes all."""
    return call_of(account, market.pool, "withdraw(address,uint256,address)", reserve.asset, amount, account)


def repay(
    market: AaveDeployment,
    reserve: DeployedReserve,
    account: str,
    amount: int,
    rate_mode: int = VARIABLE_RATE,
) -> Tx:
    """Repay with approved tokens of the account; MAX repays all."""
    arguments = (reserve.asset, amount, rate_mode, account)
    return call_of(account, market.pool, "repay(address,uint256,uint256,address)", *arguments)


def transfer(reserve: DeployedReserve, account: str, to: str, amount: int) -> Tx:
    """Send underlying tokens."""
    return call_of(account, reserve.asset, "transfer(address,uint256)", to, amount)


def drop_reserve(market: AaveDeployment, reserve: DeployedReserve) -> Tx:
    """Remove an unused reserve; its id stays behind as a gap in the reserves list."""
    return call_of(market.acl_admin, market.configurator, "dropReserve(address)", reserve.asset)


def liquidate(
    market: AaveDeployment,
    collateral: DeployedReserve,
    debt: DeployedReserve,
    account: str,
    amount: int,
    liquidator: str,
) -> Tx:
    """Liquidate `account`; `liquidator` has approved its debt assets, and receives the underlying."""
    signature = "liquidationCall(address,address,address,uint256,bool)"
    return call_of(liquidator, market.pool, signature, collateral.asset, debt.asset, account, amount, False)
