"""The functions of a pool and its tokens that the keeper calls."""

from __future__ import annotations

from functools import lru_cache

from keeper.chain.calldata import encoded
from keeper.chain.calls import Call

LIQUIDATE = "liquidationCall(address,address,address,uint256,bool)"
SUPPLY = "supply(address,uint256,address,uint16)"
REPAY = "repay(address,uint256,uint256,address)"
WITHDRAW = "withdraw(address,uint256,address)"
ERRORS = "aave_v3_errors"
VARIABLE, STABLE = 2, 1
HEALTH_WORD = 5
# As an amount to withdraw: everything.
ALL = 2**256 - 1
# The calls that every tick repeats for each asset.
_REPEATED = 4_096


def account_data(pool: str, account: str) -> Call:
    return Call(pool, encoded("getUserAccountData(address)", account))


def scaled_balance_of(token: str, owner: str) -> Call:
    return Call(token, encoded("scaledBalanceOf(address)", owner))


@lru_cache(_REPEATED)
def source_of(oracle: str, asset: str) -> Call:
    """The address of an asset's price source."""
    return Call(oracle, encoded("getSourceOfAsset(address)", asset))
