"""The contract functions the keeper calls, encoded and decoded."""

from __future__ import annotations

from functools import lru_cache

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calls import Answer, Call
from keeper.protocols.base import Valuation

VARIABLE, STABLE = 2, 1
NO_DEBT_HEALTH = 2**256 - 1
HEALTH_WORD = 5
# As an amount to withdraw: everything.
ALL = 2**256 - 1


def encoded(signature: str, *arguments: object) -> bytes:
    """Call data of a function without tuples, given by its signature."""
    types = signature[signature.index("(") + 1 : -1].split(",")
    return function_signature_to_4byte_selector(signature) + encode(types if types[0] else [], arguments)


_ACCOUNT_DATA = function_signature_to_4byte_selector("getUserAccountData(address)")
# The calls that every tick repeats for each asset.
_REPEATED = 4_096


def account_data(pool: str, account: str) -> Call:
    return Call(pool, _ACCOUNT_DATA + bytes(12) + bytes.fromhex(account[2:]))


def read_account_data(account: str, answer: Answer) -> Valuation:
    """The pool's own view of an account."""
    words = [int.from_bytes(answer.data[at : at + 32], "big") for at in range(0, 192, 32)]
    collateral, debt, _, threshold, _, health = words
    return Valuation(account, collateral, debt, threshold, None if health == NO_DEBT_HEALTH else health)


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


def balance_of(token: str, owner: str) -> Call:
    return Call(token, encoded("balanceOf(address)", owner))


def scaled_balance_of(token: str, owner: str) -> Call:
    return Call(token, encoded("scaledBalanceOf(address)", owner))


@lru_cache(_REPEATED)
def source_of(oracle: str, asset: str) -> Call:
    """The address of an asset's price source."""
    return Call(oracle, encoded("getSourceOfAsset(address)", asset))


@lru_cache(_REPEATED)
def symbol(token: str) -> Call:
    return Call(token, encoded("symbol()"))


def read_uint(answer: Answer) -> int:
    """The first word; zero when the call failed."""
    return int.from_bytes(answer.data[:32], "big") if answer.ok else 0


def read_symbol(answer: Answer, token: str) -> str:
    """A token's symbol, also where it is a bytes32 as with the oldest tokens; its address if it has none."""
    if not answer.ok or len(answer.data) < 32:
        return token
    if len(answer.data) == 32:
        text = answer.data.rstrip(b"\0")
    else:
        length = int.from_bytes(answer.data[32:64], "big")
        text = answer.data[64 : 64 + length]
    return text.decode("utf-8", "replace") or token
