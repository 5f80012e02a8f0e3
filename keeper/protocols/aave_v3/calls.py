"""The contract functions the keeper calls, encoded and decoded."""

from __future__ import annotations

from functools import lru_cache

from keeper.chain.calls import Call
from keeper.protocols.calldata import encoded

VARIABLE, STABLE = 2, 1
HEALTH_WORD = 5
# As an amount to withdraw: everything.
ALL = 2**256 - 1


# The calls that every tick repeats for each asset.
_REPEATED = 4_096


def account_data(pool: str, account: str) -> Call:
    return Call(pool, encoded("getUserAccountData(address)", account))


def liquidation_call(
    collateral: str, debt: str, account: str, debt_to_cover: int, *, receive_a_token: bool = False
) -> bytes:
    return encoded(
        "liquidationCall(address,address,address,uint256,bool)",
        collateral,
        debt,
        account,
        debt_to_cover,
        receive_a_token,
    )


def supply(asset: str, amount: int, account: str) -> bytes:
    return encoded("supply(address,uint256,address,uint16)", asset, amount, account, 0)


def withdraw(asset: str, amount: int, to: str) -> bytes:
    return encoded("withdraw(address,uint256,address)", asset, amount, to)


def repay(asset: str, amount: int, rate_mode: int, account: str) -> bytes:
    return encoded("repay(address,uint256,uint256,address)", asset, amount, rate_mode, account)


def scaled_balance_of(token: str, owner: str) -> Call:
    return Call(token, encoded("scaledBalanceOf(address)", owner))


@lru_cache(_REPEATED)
def source_of(oracle: str, asset: str) -> Call:
    """The address of an asset's price source."""
    return Call(oracle, encoded("getSourceOfAsset(address)", asset))
