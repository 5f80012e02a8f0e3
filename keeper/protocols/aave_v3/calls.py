"""The contract functions the keeper calls, encoded and decoded."""

from __future__ import annotations

from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calls import Answer, Call
from keeper.protocols.base import Valuation

VARIABLE, STABLE = 2, 1
NO_DEBT_HEALTH = 2**256 - 1
HEALTH_WORD = 5


def _encode(signature: str, *arguments: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return function_signature_to_4byte_selector(signature) + encode(types if types[0] else [], arguments)


def account_data(pool: str, account: str) -> Call:
    return Call(pool, _encode("getUserAccountData(address)", account))


def read_account_data(account: str, answer: Answer) -> Valuation:
    """The pool's own view of an account."""
    collateral, debt, _, threshold, _, health = decode(["uint256"] * 6, answer.data)
    return Valuation(account, collateral, debt, threshold, None if health == NO_DEBT_HEALTH else health)


def liquidation_call(collateral: str, debt: str, account: str, debt_to_cover: int) -> bytes:
    return _encode(
        "liquidationCall(address,address,address,uint256,bool)",
        collateral,
        debt,
        account,
        debt_to_cover,
        False,
    )


def supply(asset: str, amount: int, account: str) -> bytes:
    return _encode("supply(address,uint256,address,uint16)", asset, amount, account, 0)


def repay(asset: str, amount: int, rate_mode: int, account: str) -> bytes:
    return _encode("repay(address,uint256,uint256,address)", asset, amount, rate_mode, account)


def balance_of(token: str, owner: str) -> Call:
    return Call(token, _encode("balanceOf(address)", owner))


def scaled_balance_of(token: str, owner: str) -> Call:
    return Call(token, _encode("scaledBalanceOf(address)", owner))


def source_of(oracle: str, asset: str) -> Call:
    """The address of an asset's price source."""
    return Call(oracle, _encode("getSourceOfAsset(address)", asset))


def symbol(token: str) -> Call:
    return Call(token, _encode("symbol()"))


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
